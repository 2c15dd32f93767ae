"""The picture that belongs to the selected node: what it loads, paints or has saved."""

from __future__ import annotations

from pathlib import Path

from nst_graph.text import shorten

from ..widgets.cells import Grid
from ..widgets.preview import Picture


class Peek(Picture):
    """A picture, or nothing at all."""

    def show_file(self, path: Path | None, title: str) -> None:
        if (path, title) != (self.path, self.title):
            note = "" if path is None else _size(path)
            self.show(path, shorten(title, 30), note)
        elif path is not None:
            self.repaint()

    def paint(self, grid: Grid) -> None:
        if self.path is None:
            return
        super().paint(grid)


def _size(path: Path) -> str:
    """``512×384``, read from the file's head."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            return f"{image.width}×{image.height}"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
