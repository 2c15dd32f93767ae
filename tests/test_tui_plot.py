"""Curves from arrays to characters: extremes stay, axes are nice, only changes are sent."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.tui import theme
from nst_graph.tui.series import TOTAL, Track
from nst_graph.tui.widgets import decimate
from nst_graph.tui.widgets.cells import Grid, changed_spans
from nst_graph.tui.widgets.plot import Line, Plot, Sign, View
from nst_graph.tui.widgets.raster import CELLS, Raster, dots
from nst_graph.tui.widgets.terms import slope


def track_of(values: list[float], name: str = "a") -> Track:
    track = Track()
    for step, value in enumerate(values, start=1):
        track.append(step, step / 10, step, value, {name: value})
    return track


def text(grid: Grid) -> str:
    return "\n".join("".join(chr(code) for code in row if code) for row in grid.codes.tolist())


def plot_of(track: Track, *, width: int = 60, height: int = 16, **view: object) -> Grid:
    grid = Grid(width, height)
    lines = [Line(name, i, track, name) for i, name in enumerate(track.names)]
    Plot(lines, planned=track.size, view=View(**view)).draw(grid)  # type: ignore[arg-type]
    return grid


# -- decimation --------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(math.nan), min_size=1, max_size=400),
    st.integers(1, 90),
)
def test_every_extreme_lands_in_its_column(values: list[float], count: int) -> None:
    x = np.arange(len(values), dtype=float)
    y = np.array(values)
    found = decimate.columns(x, y, y, np.isnan(y), 0.0, float(len(values)), count)
    for column in range(count):
        place = np.minimum((x * (count / len(values))).astype(int), count - 1)
        inside = y[place == column]
        finite = inside[~np.isnan(inside)]
        assert found.bad[column] == (len(finite) < len(inside))
        if len(finite):
            assert found.low[column] == finite.min() and found.high[column] == finite.max()
        else:
            assert np.isnan(found.low[column]) and np.isnan(found.high[column])


def test_a_single_spike_in_a_long_run_is_drawn() -> None:
    values = [1.0] * 5000
    values[2500] = 1000.0
    grid = plot_of(track_of(values), log=False)
    middle = 7 + (60 - 9) // 2
    column = grid.codes[0:14, middle - 1 : middle + 2]
    assert (column >= 0x2800).any(axis=1).all(), text(grid)


def test_points_outside_the_window_are_left_out() -> None:
    x = np.arange(100.0)
    found = decimate.columns(x, x, x, np.zeros(100, bool), 40.0, 60.0, 10)
    assert np.nanmin(found.low) == 40 and np.nanmax(found.high) == 60


def test_empty_columns_are_bridged_but_never_across_a_value_that_is_not_finite() -> None:
    nan = math.nan
    low = np.array([nan, 1.0, nan, nan, 4.0, nan, 6.0, nan])
    bad = np.array([False, False, False, False, False, True, False, False])
    found = decimate.bridge(decimate.Columns(low, low.copy(), bad))
    expected = np.array([nan, 1.0, 2.0, 3.0, 4.0, nan, 6.0, nan])
    np.testing.assert_array_equal(found.low, expected)


# -- axes --------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e12))
def test_the_snapped_end_of_an_axis_is_at_most_twice_too_far(value: float) -> None:
    end = decimate.snap_up(value)
    assert value <= end * (1 + 1e-9) and end <= 2 * value * (1 + 1e-9)


@given(st.floats(1e-20, 1e20), st.floats(1, 1e9))
def test_logarithmic_limits_lie_around_the_values(low: float, ratio: float) -> None:
    bottom, top = decimate.log_limits(low, low * ratio)
    assert bottom <= low * (1 + 1e-6) and top >= low * ratio * (1 - 1e-6)
    assert top / bottom <= ratio * 10 * (1 + 1e-6) or ratio < 3.2


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12))
def test_linear_limits_lie_around_the_values(low: float, span: float) -> None:
    bottom, top = decimate.linear_limits(low, low + span)
    slack = 1e-6 * max(abs(low), span)
    assert bottom <= low + slack and top >= low + span - slack


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e7), st.integers(2, 12))
def test_ticks_are_few_and_inside(start: float, span: float, parts: int) -> None:
    found = decimate.ticks(start, start + span, parts)
    assert len(found) <= parts + 1
    slack = 1e-6 * max(abs(start), span)
    assert all(start - slack <= tick <= start + span + slack for tick in found)


@given(st.floats(1e-15, 1e15), st.floats(1.8, 1e12), st.integers(2, 12))
def test_logarithmic_axes_have_a_few_ticks_inside(low: float, ratio: float, parts: int) -> None:
    bottom, top = decimate.log_limits(low, low * ratio)
    found = decimate.log_ticks(bottom, top, parts)
    assert 1 <= len(found) <= max(7, parts)
    assert all(bottom * (1 - 1e-6) <= tick <= top * (1 + 1e-6) for tick in found)


@pytest.mark.parametrize("values", [[], [math.nan], [0.0, 0.0], [-1.0, -2.0], [1e-300, 1e300]])
@pytest.mark.parametrize("log", [True, False])
def test_odd_curves_can_be_drawn(values: list[float], log: bool) -> None:
    plot_of(track_of(values), log=log)
    plot_of(track_of(values), log=log, smoothing=0.9)


# -- dots --------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60))
def test_a_line_has_no_holes(values: list[float]) -> None:
    y = np.array(values)
    columns = decimate.Columns(y, y, np.zeros(len(y), bool))
    picture = dots(columns, 0.0, 1.0, 16, (1, 0))
    assert picture.any(axis=0).all()
    for left, right in zip(range(len(y) - 1), range(1, len(y)), strict=True):
        a, b = np.flatnonzero(picture[:, left]), np.flatnonzero(picture[:, right])
        assert a.min() <= b.max() + 1 and b.min() <= a.max() + 1


def test_a_dash_pattern_never_hides_a_spike() -> None:
    for place in range(24):
        y = np.zeros(24)
        y[place] = 1.0
        columns = decimate.Columns(y, y, np.zeros(24, bool))
        for dash in theme.DASHES:
            assert dots(columns, 0.0, 1.0, 16, dash)[0].any(), (place, dash)


def test_braille_cells_have_the_dots_of_the_unicode_block() -> None:
    raster = Raster(1, 1, "braille")
    for y, x, code in ((0, 0, 0x01), (1, 0, 0x02), (2, 0, 0x04), (3, 0, 0x40), (3, 1, 0x80)):
        one = np.full(2, math.nan)
        one[x] = 3.0 - y
        raster = Raster(1, 1, "braille")
        raster.add(decimate.Columns(one, one, np.zeros(2, bool)), 0.0, 3.0, 0, 5)
        assert raster.codes().tolist() == [[0x2800 + code]]
        assert raster.look.tolist() == [[5]]


@pytest.mark.parametrize("glyphs", sorted(CELLS))
def test_every_kind_of_glyph_draws_the_curve(glyphs: str) -> None:
    grid = Grid(60, 14)
    track = track_of([100 * math.exp(-i / 20) + 1 for i in range(100)])
    Plot([Line("a", 1, track, "a")], planned=100, glyphs=glyphs).draw(grid)  # type: ignore[arg-type]
    drawn = grid.looks[:12, 7:58] == theme.ROLE["series1"]
    assert drawn.sum() > 40
    if glyphs == "ascii":
        assert (grid.codes[:12, 7:58][drawn] < 128).all()


# -- plots -------------------------------------------------------------------------------------


def test_values_that_are_not_finite_are_marked_where_they_are() -> None:
    values = [10.0] * 100
    values[50] = math.nan
    shown = text(plot_of(track_of(values))).splitlines()
    assert "×" in shown[0]
    assert abs(shown[0].index("×") - (7 + 51 * 51 // 100)) <= 1


def test_marks_and_the_cursor_stand_at_their_steps() -> None:
    track = track_of([10.0 + i for i in range(100)])
    grid = Grid(60, 16)
    view = View(cursor=75.0)
    Plot([Line("a", 1, track, "a")], [Sign(track, 25)], 100, view).draw(grid)
    axis = text(grid).splitlines()[14]
    assert [i for i, c in enumerate(axis) if c == "▲"] == [7 + 51 * 25 // 100, 7 + 51 * 75 // 100]


def test_the_step_axis_ends_at_the_planned_steps_and_does_not_creep() -> None:
    track, ends = Track(), set()
    for step in range(1, 900):
        track.append(step, step, step, 1.0, {})
        ends.add(Plot([Line("a", 0, track, TOTAL)], planned=1000).x_range())
    assert ends == {(0.0, 1000.0)}


def test_without_a_plan_the_axis_moves_rarely() -> None:
    track, ends = Track(), set()
    for step in range(1, 5000):
        track.append(step, step, step, 1.0, {})
        ends.add(Plot([Line("a", 0, track, TOTAL)], view=View(axis="time")).x_range())
    assert len(ends) < 20


def test_the_cursor_reads_the_last_value_at_or_before_it() -> None:
    plot = Plot([Line("a", 0, track_of([5.0, 6.0, 7.0]), "a")])
    assert plot.values_at(2.0) == [6.0]
    assert plot.values_at(2.9) == [6.0]
    assert plot.values_at(99.0) == [7.0]
    assert math.isnan(plot.values_at(0.5)[0])


def test_normalised_curves_are_divided() -> None:
    plot = Plot([Line("a", 0, track_of([5.0, 10.0]), "a", divide=5.0)])
    assert plot.values_at(2.0) == [2.0]


def test_zooming_in_and_out_returns_to_the_same_window() -> None:
    view = View(cursor=400.0).zoomed(1, (0.0, 1000.0))
    assert view.window == (200.0, 700.0)
    again = view.zoomed(-1, (200.0, 700.0))
    assert again.window == (0.0, 1000.0)
    assert view.panned(-1, (200.0, 700.0)).window == (75.0, 575.0)
    assert view.panned(-1, (50.0, 550.0)).window == (0.0, 500.0)


def test_one_more_step_changes_few_cells() -> None:
    values = [1e5 * math.exp(-i / 100) + 50 for i in range(500)]
    grids = []
    for track in (track_of(values), track_of([*values, values[-1] * 0.999])):
        grids.append(Grid(76, 22))
        lines = [Line(name, i, track, name) for i, name in enumerate(track.names)]
        Plot(lines, planned=1000).draw(grids[-1])
    assert sum(region.area for region in changed_spans(*grids)) < 12


def test_ten_thousand_points_of_eight_curves_are_drawn_in_sixty_milliseconds() -> None:
    track = Track()
    generator = np.random.default_rng(0)
    noise = np.exp(generator.normal(0, 0.1, (10_000, 8)))
    for step in range(10_000):
        row = {f"t{i}": float(10**i * noise[step, i]) for i in range(8)}
        track.append(step + 1, step, step, sum(row.values()), row)
    lines = [Line(name, i, track, name) for i, name in enumerate(track.names)]
    plot = Plot(lines, planned=10_000)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        plot.draw(Grid(120, 40))
        times.append(time.perf_counter() - start)
    assert min(times) <= 0.06, times


# -- grids -------------------------------------------------------------------------------------


def test_wide_and_hostile_characters_keep_the_grid_in_shape() -> None:
    grid = Grid(10, 1)
    assert grid.write(0, 0, "日本x\x1b]52;c;aGk=\x07") == 10
    assert grid.codes[0, :5].tolist() == [ord("日"), 0, ord("本"), 0, ord("x")]
    assert not ({0x1B, 0x07} & set(grid.codes[0].tolist()))
    narrow = Grid(4, 1)
    narrow.write(0, 0, "日本語")
    assert text(narrow) in ("日 …", "日本", "日…")


def test_what_is_too_long_is_cut_with_an_ellipsis() -> None:
    grid = Grid(20, 1)
    assert grid.write(2, 0, "abcdefgh", limit=5) == 7
    assert text(grid).strip() == "abcd…"


@given(st.text(max_size=30), st.text(max_size=30))
def test_changed_spans_cover_every_difference(one: str, other: str) -> None:
    old, new = Grid(24, 1), Grid(24, 1)
    old.write(0, 0, one)
    new.write(0, 0, other, "accent")
    covered = np.zeros(24, bool)
    for region in changed_spans(old, new):
        covered[region.x : region.right] = True
        assert new.codes[0, region.x] != 0
        assert region.right >= 24 or new.codes[0, region.right] != 0
    differs = (old.codes != new.codes) | (old.looks != new.looks)
    assert not (differs[0] & ~covered).any()


def test_the_slope_is_the_rate_of_decay_within_the_scale() -> None:
    steps = np.arange(1.0, 101.0)
    values = 7.0 * np.exp(-0.02 * steps)
    assert slope(steps, values) == pytest.approx(-0.02)
    jumped = np.where(steps < 80, values, 50.0 * np.exp(0.01 * steps))
    assert slope(steps, jumped, since=80) == pytest.approx(0.01)
    assert math.isnan(slope(steps, -values)) and math.isnan(slope(steps[:2], values[:2]))
    assert math.isnan(slope(steps[:0], values[:0]))
