"""Masks of simple shapes and compositions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph.errors import NodeError
from nst_graph.nodes.region import SHAPES, NSTComposite, NSTRegionMask
from nst_graph.style import regions

SHARE = st.floats(0, 1)
DRAW = NSTRegionMask().draw


def blank(height: int, width: int, value: float = 0.0, count: int = 1) -> torch.Tensor:
    return torch.full((count, height, width, 3), value)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPES), st.integers(1, 40), st.integers(1, 40), *[SHARE] * 5)
def test_mask_and_rest_are_a_partition(
    shape: str, height: int, width: int, x: float, y: float, w: float, h: float, feather: float
) -> None:
    mask, rest = DRAW(blank(height, width), shape, x, y, w, h, feather)
    assert mask.shape == rest.shape == (1, height, width)
    assert mask.isfinite().all()
    assert mask.min() >= 0 and mask.max() <= 1
    torch.testing.assert_close(mask + rest, torch.ones(1, height, width))


def test_regions_cut_out_of_a_rest_add_up_to_the_whole_picture() -> None:
    picture = blank(30, 40)
    top, below = DRAW(picture, "top", 0.5, 0.4, 1, 1, 0.2)
    left, right = DRAW(picture, "left", 0.5, 0.5, 1, 1, 0.2, inside=below)
    torch.testing.assert_close(top + left + right, torch.ones(1, 30, 40))


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        ("left", (10, 0), (10, 39)),
        ("right", (10, 39), (10, 0)),
        ("top", (0, 20), (29, 20)),
        ("bottom", (29, 20), (0, 20)),
        ("ellipse", (15, 20), (1, 1)),
        ("box", (15, 20), (1, 1)),
    ],
)
def test_a_shape_is_where_its_name_says(
    shape: str, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    mask, _ = DRAW(blank(30, 40), shape, 0.5, 0.5, 0.5, 0.5, 0.1)
    assert mask[0][inside] == 1
    assert mask[0][outside] == 0


def test_hard_shapes_cover_the_area_of_their_formulas() -> None:
    picture = blank(400, 600)
    ellipse, _ = DRAW(picture, "ellipse", 0.5, 0.5, 0.6, 0.8, 0.0)
    assert float(ellipse.mean()) == pytest.approx(torch.pi / 4 * 0.6 * 0.8, rel=2e-3)
    box, _ = DRAW(picture, "box", 0.3, 0.5, 0.2, 0.5, 0.0)
    assert float(box.mean()) == pytest.approx(0.1, rel=2e-3)
    left, _ = DRAW(picture, "left", 0.25, 0.5, 1, 1, 0.0)
    assert float(left.mean()) == pytest.approx(0.25, rel=2e-3)


def test_a_soft_edge_is_as_wide_as_its_feather_and_half_on_the_outline() -> None:
    mask, _ = DRAW(blank(10, 200), "left", 0.5, 0.5, 1, 1, 0.2)
    row = mask[0, 5]
    soft = ((row > 0) & (row < 1)).sum()
    assert 38 <= int(soft) <= 40  # 0.2 of 200
    assert float((row[99] + row[100]) / 2) == pytest.approx(0.5, abs=1e-5)
    assert (row.diff() <= 0).all()


def test_the_soft_edge_of_an_ellipse_is_even_all_around() -> None:
    """The width of the edge along the long and the short axis is that of the feather."""
    mask, _ = DRAW(blank(200, 400), "ellipse", 0.5, 0.5, 0.8, 0.5, 0.1)
    for line in (mask[0, 100], mask[0, :, 200]):
        half = line[: len(line) // 2]
        assert int(((half > 0) & (half < 1)).sum()) == pytest.approx(40, abs=6)


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(NodeError, match="shape 'star' is not one of left"):
        regions.region("star", (4, 4), (0.5, 0.5), (1, 1), 0)


def test_a_composite_is_the_picture_on_top_within_the_mask() -> None:
    below, over = blank(6, 8, 0.2), blank(3, 4, 0.8)
    mask = torch.zeros(1, 6, 8)
    mask[:, :, :4] = 1
    (found,) = NSTComposite().compose(below, over, mask, 1.0)
    torch.testing.assert_close(found[0, :, :4], torch.full((6, 4, 3), 0.8))
    torch.testing.assert_close(found[0, :, 4:], torch.full((6, 4, 3), 0.2))
    (faint,) = NSTComposite().compose(below, over, mask, 0.25)
    torch.testing.assert_close(faint[0, :, :4], torch.full((6, 4, 3), 0.35))
    assert below.max() == pytest.approx(0.2), "inputs are shared and stay as they are"


def test_a_composite_of_a_batch_takes_one_mask_or_as_many() -> None:
    frames = torch.rand(3, 6, 8, 3)
    (found,) = NSTComposite().compose(frames, blank(6, 8, 0.5), torch.zeros(1, 6, 8), 1.0)
    torch.testing.assert_close(found, frames)
    with pytest.raises(NodeError, match="mask has 2 frames for 3"):
        NSTComposite().compose(frames, blank(6, 8), torch.zeros(2, 6, 8), 1.0)
