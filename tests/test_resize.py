from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from nst_graph.errors import NodeError
from nst_graph.nodes import fit as fit_node
from nst_graph.style.resize import FILTERS, FITS, fit_size, fitted, resize, resize_mask


def test_the_nodes_offer_every_fit_and_filter() -> None:
    assert list(FITS) == fit_node.FITS and list(FILTERS) == fit_node.FILTERS


@pytest.mark.parametrize("size", [(20, 30), (100, 300), (61, 30), (1, 1)])
@pytest.mark.parametrize(
    ("name", "pillow"),
    [
        ("bicubic", Image.Resampling.BICUBIC),
        ("bilinear", Image.Resampling.BILINEAR),
        ("lanczos", Image.Resampling.LANCZOS),
        ("nearest", Image.Resampling.NEAREST),
    ],
)
def test_filters_agree_with_pillow(
    name: str, pillow: Image.Resampling, size: tuple[int, int]
) -> None:
    x = torch.rand(1, 1, 61, 97, generator=torch.Generator().manual_seed(0))
    expected = np.asarray(Image.fromarray(x[0, 0].numpy()).resize(size[::-1], pillow)).clip(0, 1)
    np.testing.assert_allclose(resize(x, size, name)[0, 0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("size", [(5, 7), (13, 40), (12, 3), (1, 1)])
def test_area_is_the_exact_average_of_what_a_pixel_covers(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, 12, 10, dtype=torch.float64)
    fine = x.repeat_interleave(size[0], -2).repeat_interleave(size[1], -1)
    expected = fine.reshape(2, 3, size[0], 12, size[1], 10).mean((3, 5))
    assert torch.allclose(resize(x, size, "area"), expected, atol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_resizing_keeps_range_type_and_flat_colour(name: str) -> None:
    x = (torch.rand(2, 3, 17, 23) > 0.5).float()
    for size in ((5, 9), (40, 50), (17, 50)):
        y = resize(x, size, name)
        assert y.shape == (2, 3, *size) and y.dtype == torch.float32
        assert float(y.min()) >= 0 and float(y.max()) <= 1
        flat = resize(torch.full((1, 1, 17, 23), 0.3), size, name)
        assert torch.allclose(flat, torch.tensor(0.3), atol=1e-6)


def test_a_picture_of_the_right_size_comes_back_itself() -> None:
    x, mask = torch.rand(1, 3, 5, 6), torch.rand(1, 5, 6)
    assert resize(x, (5, 6)) is x and resize_mask(mask, (5, 6)) is mask


def test_shrinking_a_mask_keeps_the_share_it_selects() -> None:
    mask = (torch.rand(2, 37, 53, dtype=torch.float64) > 0.8).double()
    for size in ((9, 11), (36, 53), (1, 1)):
        small = resize_mask(mask, size)
        assert torch.allclose(small.mean((1, 2)), mask.mean((1, 2)), atol=1e-12)
    large = resize_mask(mask, (80, 60))
    assert float(large.min()) >= 0 and float(large.max()) <= 1


@pytest.mark.parametrize(
    ("fit", "target", "expected"),
    [
        ("none", (5, 5), (640, 480, None)),
        ("contain", (512, 512), (512, 384, None)),
        ("contain", (0, 240), (320, 240, None)),
        ("cover", (512, 512), (683, 512, (85, 0, 597, 512))),
        ("cover", (320, 240), (320, 240, None)),
        ("cover", (100, 0), (100, 75, None)),
        ("stretch", (500, 400), (500, 400, None)),
        ("stretch", (0, 240), (320, 240, None)),
        ("short", (512, 99), (683, 512, None)),
        ("long", (512, 99), (512, 384, None)),
        ("long", (0, 512), (512, 384, None)),
        ("megapixels", (512, 512), (591, 443, None)),
    ],
)
def test_fits(fit: str, target: tuple[int, int], expected: tuple[object, ...]) -> None:
    assert fit_size(640, 480, fit, *target) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.sampled_from(FITS),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_fits_keep_their_promises_for_any_size(
    width: int, height: int, fit: str, target_w: int, target_h: int
) -> None:
    try:
        w, h, box = fit_size(width, height, fit, target_w, target_h)
    except NodeError as error:
        assert "sides end at" in str(error)
        return
    assert w >= 1 and h >= 1
    if fit == "contain":
        assert w <= target_w and h <= target_h and (w == target_w or h == target_h)
    if fit in ("short", "long"):
        assert (min if fit == "short" else max)(w, h) == target_w
    if fit == "cover":
        left, top, right, bottom = box or (0, 0, w, h)
        assert (right - left, bottom - top) == (target_w, target_h)
        assert left >= 0 and top >= 0 and right <= w and bottom <= h
        assert abs((w - right) - left) <= 1 and abs((h - bottom) - top) <= 1


def test_a_fitted_picture_has_the_promised_size() -> None:
    x = torch.rand(1, 3, 48, 64)
    assert fitted(x, "cover", 20, 20).shape == (1, 3, 20, 20)
    assert fitted(x, "contain", 20, 20).shape == (1, 3, 15, 20)
    centre = fitted(x, "cover", 48, 48)
    assert torch.equal(centre, x[..., 8:56])


def test_impossible_sizes_are_refused() -> None:
    x = torch.rand(1, 3, 4, 4)
    with pytest.raises(NodeError, match="cannot resize a picture to 5x0"):
        resize(x, (0, 5))
    with pytest.raises(NodeError, match="unknown filter 'best'"):
        resize(x, (5, 5), "best")
    with pytest.raises(NodeError, match="needs width or height"):
        fit_size(4, 4, "cover", 0, 0)
    with pytest.raises(NodeError, match="unknown fit 'best'"):
        fit_size(4, 4, "best", 1, 1)
    with pytest.raises(NodeError, match="would become 512x512000; sides end at 32768"):
        fit_size(1, 1000, "short", 512, 512)
