"""The terminal UI. It imports no torch, reads only event logs and sends only control commands.

Nothing moves by itself: animations and smooth scrolling are off, and where the terminal can do
256 colours they are used, because one truecolor code takes as many bytes as two of those and
terminals at the end of an SSH line are the rule here. All three can be set from outside.
"""

from __future__ import annotations

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
if "256color" in os.environ.get("TERM", "") or os.environ.get("COLORTERM"):
    os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "256")
