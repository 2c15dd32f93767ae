"""Makes Textual send only the cells of a changed span.

Textual 8 renders a changed span of a line from the left edge of its widget on (``ChopsUpdate
.render_segments`` crops at the end of the span only), so a change at the right end of the canvas
sends the whole line, once for every span in it. Cropping at both ends halves what a key costs.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual import _compositor


def _only_the_spans(self: _compositor.ChopsUpdate, console: Console) -> str:
    sequences: list[str] = []
    for y, start, stop in self.spans:
        for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
            if strip is None or x >= stop or end <= start:
                continue
            left, right = max(x, start), min(end, stop)
            sequences.append(Control.move_to(left, y).segment.text)
            sequences.append(strip.crop(left - x, right - x).render(console))
    return "".join(sequences)


def send_only_changed_cells() -> None:
    """Replace the renderer of partial updates; leaves a Textual that looks different alone."""
    update = getattr(_compositor, "ChopsUpdate", None)
    if update is not None and hasattr(update, "render_segments"):
        update.render_segments = _only_the_spans
