"""The built-in node pack. Importing it imports no torch."""

from __future__ import annotations

NODE_CLASS_MAPPINGS: dict[str, type] = {}
"""Nodes for every host, ComfyUI included."""

STANDALONE_CLASS_MAPPINGS: dict[str, type] = {}
"""Twins of ComfyUI's own nodes, for our runner only."""

NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {}
