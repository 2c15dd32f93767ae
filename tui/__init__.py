"""The terminal UI. It imports no torch, reads only event logs and sends only control commands.

Nothing moves by itself: animations and smooth scrolling are off, unless set otherwise from outside.
"""

from __future__ import annotations

import os

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
