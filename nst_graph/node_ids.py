"""Ids of nodes: digits, with "." between the parts of an expanded and ":" of a nested node's."""

from __future__ import annotations

import re
from typing import Any

_ID = re.compile(r"[0-9][0-9.:]{0,99}")


def is_node_id(value: Any) -> bool:
    """Whether ComfyUI and our run folders take ``value`` as the id of a node."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def id_order(node_id: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key that puts 9 before 10 and 12 before 12:3, however long the numbers are."""
    parts = []
    for part in re.split(r"[.:]", node_id):
        number = part.lstrip("0")
        digits = part.isascii() and part.isdigit()
        parts.append((0, len(number), number) if digits else (1, 0, part))
    return parts, node_id
