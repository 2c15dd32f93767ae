"""What the plot keys do, the same on every screen that has curves."""

from __future__ import annotations

from ..widgets.curves import Curves


class PlotKeys:
    """Mixed into a screen with a ``curves`` property."""

    @property
    def curves(self) -> Curves:
        raise NotImplementedError

    def after_plot_key(self) -> None:
        """Draw what depends on the cursor or the axis."""

    def action_cursor(self, direction: int) -> None:
        self.curves.move_cursor(direction)
        self.after_plot_key()

    def action_pan(self, direction: int) -> None:
        self.curves.pan(direction)

    def action_zoom(self, direction: int) -> None:
        self.curves.zoom(direction)

    def action_whole(self) -> None:
        self.curves.whole()

    def action_follow(self) -> None:
        self.curves.follow()
        self.after_plot_key()

    def action_log_scale(self) -> None:
        self.curves.log_scale()

    def action_smooth(self) -> None:
        self.curves.smooth()

    def action_x_axis(self) -> None:
        self.curves.next_axis()
        self.after_plot_key()
