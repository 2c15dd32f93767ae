from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.nodes.color import NSTColorMatch, NSTKeepColor, NSTLuminance
from nst_graph.style.colour import (
    EPSILON,
    METHODS,
    SPACES,
    colour_map,
    from_oklab,
    keep_colour,
    luma,
    match_colour,
    match_luminance,
    match_statistics,
    moments,
    to_oklab,
)


def picture(seed: int, height: int = 24, width: int = 31, frames: int = 1) -> Tensor:
    """Correlated colours well inside 0..1, so that matching never clips: [N, 3, H, W] float64."""
    draw = np.random.default_rng(seed)
    mix = np.eye(3) * 0.6 + draw.uniform(-0.3, 0.3, (3, 3))
    base = draw.uniform(-0.12, 0.12, (frames, 3, height, width))
    mean = draw.uniform(0.45, 0.55, (1, 3, 1, 1))
    return torch.from_numpy(np.einsum("ij,njhw->nihw", mix, base) + mean)


def random_covariance(seed: int) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(3, 3)) * 0.2
    return factor @ factor.T


def as_image(x: Tensor) -> Tensor:
    return x.movedim(1, -1).float()


# --- colour transfer -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cholesky", "pca", "mkl"])
@pytest.mark.parametrize("seed", range(5))
def test_a_linear_map_turns_one_covariance_exactly_into_the_other(method: str, seed: int) -> None:
    source, target = random_covariance(seed), random_covariance(seed + 100)
    a = colour_map(torch.from_numpy(source), torch.from_numpy(target), method).numpy()
    eye = EPSILON * np.eye(3)
    np.testing.assert_allclose(a @ (source + eye) @ a.T, target + eye, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["cholesky", "pca", "mkl"])
def test_linear_maps_equal_their_formulas_in_scipy(method: str) -> None:
    source, target = random_covariance(3), random_covariance(4)
    s, t = source + EPSILON * np.eye(3), target + EPSILON * np.eye(3)
    root, power = scipy.linalg.sqrtm, scipy.linalg.fractional_matrix_power
    expected = {
        "cholesky": np.linalg.cholesky(t) @ np.linalg.inv(np.linalg.cholesky(s)),
        "pca": root(t) @ power(s, -0.5),
        "mkl": power(s, -0.5) @ root(root(s) @ t @ root(s)) @ power(s, -0.5),
    }[method]
    found = colour_map(torch.from_numpy(source), torch.from_numpy(target), method)
    np.testing.assert_allclose(found.numpy(), np.real(expected), atol=1e-9)


def test_the_monge_kantorovich_map_moves_colours_least() -> None:
    x, reference = picture(1), picture(2)
    moved = {
        method: float((match_colour(x, reference, method) - x).square().mean())
        for method in ("cholesky", "pca", "mkl")
    }
    assert moved["mkl"] <= min(moved.values())


@pytest.mark.parametrize("method", ["cholesky", "pca", "mkl"])
def test_a_matched_picture_has_the_reference_mean_and_covariance(method: str) -> None:
    x, reference = picture(1), picture(2, 17, 40)
    matched = match_colour(x, reference, method)[0].reshape(3, -1).numpy()
    wanted = reference[0].reshape(3, -1).numpy()
    np.testing.assert_allclose(matched.mean(1), wanted.mean(1), atol=1e-9)
    target = np.cov(wanted, bias=True)
    a = colour_map(
        torch.from_numpy(np.cov(x[0].reshape(3, -1), bias=True)), torch.from_numpy(target), method
    )
    regularised = target + EPSILON * (np.eye(3) - (a @ a.T).numpy())
    np.testing.assert_allclose(np.cov(matched, bias=True), regularised, atol=1e-9)
    np.testing.assert_allclose(regularised, target, atol=0.05 * target.max())


def test_mean_std_matches_each_channel_and_nothing_else() -> None:
    x, reference = picture(1), picture(2)
    matched = match_colour(x, reference, "mean_std")
    ours, theirs = matched[0].reshape(3, -1).numpy(), reference[0].reshape(3, -1).numpy()
    np.testing.assert_allclose(ours.mean(1), theirs.mean(1), atol=1e-9)
    np.testing.assert_allclose(ours.std(1), theirs.std(1), atol=1e-4)
    correlation = np.corrcoef(x[0].reshape(3, -1).numpy())
    np.testing.assert_allclose(np.corrcoef(ours), correlation, atol=1e-9)


def test_moments_equal_numpy() -> None:
    x = picture(5)
    mean, covariance = moments(x[0].float())
    flat = x[0].float().double().reshape(3, -1).numpy()
    np.testing.assert_allclose(mean.numpy(), flat.mean(1), atol=1e-12)
    np.testing.assert_allclose(covariance.numpy(), np.cov(flat, bias=True), atol=1e-12)


def test_histogram_matching_of_equal_sizes_hands_out_the_sorted_values_by_rank() -> None:
    x, reference = picture(1), picture(2)
    matched = match_colour(x, reference, "histogram")
    for channel in range(3):
        ours, source = matched[0, channel].flatten(), x[0, channel].flatten()
        wanted = reference[0, channel].flatten().sort().values
        assert torch.allclose(ours.sort().values, wanted, atol=1e-12)
        assert torch.equal(ours.argsort(), source.argsort())


def test_histogram_matching_of_other_sizes_follows_the_quantiles() -> None:
    x, reference = picture(1), picture(2, 60, 50)
    matched = match_colour(x, reference, "histogram")[0, 0].flatten().numpy()
    source, wanted = x[0, 0].flatten().numpy(), reference[0, 0].flatten().numpy()
    ranks = source.argsort().argsort()
    expected = np.quantile(wanted, (ranks + 0.5) / len(source), method="hazen")
    np.testing.assert_allclose(matched, expected, atol=1e-9)


def test_histogram_matching_keeps_flat_areas_flat() -> None:
    x = torch.zeros(1, 3, 8, 8)
    x[..., 4:] = 1.0
    matched = match_colour(x, picture(2).float(), "histogram")
    assert len(matched[0, 0].unique()) == 2


@pytest.mark.parametrize("method", METHODS)
def test_gray_and_constant_pictures_give_finite_colours_in_range(method: str) -> None:
    gray = luma(picture(1)).expand(-1, 3, -1, -1).float()
    constant = torch.full((1, 3, 9, 9), 0.5)
    one_pixel = torch.full((1, 3, 1, 1), 0.3)
    for a in (gray, constant, one_pixel, picture(3).float()):
        for b in (gray, constant, one_pixel, picture(4).float()):
            matched = match_colour(a, b, method)
            assert matched.shape == a.shape and bool(matched.isfinite().all())
            assert float(matched.min()) >= 0 and float(matched.max()) <= 1


@pytest.mark.parametrize("method", METHODS)
def test_matching_a_picture_to_itself_changes_nothing(method: str) -> None:
    x = picture(7)
    assert torch.allclose(match_colour(x, x, method), x, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_strength_blends_linearly(method: str) -> None:
    x, reference = picture(1), picture(2)
    full = match_colour(x, reference, method)
    assert torch.equal(match_colour(x, reference, method, 0.0), x)
    half = match_colour(x, reference, method, 0.5)
    assert torch.allclose(half, (x + full) / 2, atol=1e-12)


def test_each_frame_takes_its_own_reference_and_the_last_one_serves_the_rest() -> None:
    x, references = picture(1, frames=3), picture(2, frames=2)
    together = match_colour(x, references, "mkl")
    for index, reference in enumerate((0, 1, 1)):
        single = match_colour(x[index][None], references[reference][None], "mkl")
        assert torch.equal(together[index], single[0])


def test_match_statistics_gives_each_channel_the_mean_and_deviation_of_the_style() -> None:
    content, style = picture(1, frames=2), picture(2, 10, 50)
    matched = match_statistics(content, style)
    for frame in matched.numpy():
        np.testing.assert_allclose(frame.mean((1, 2)), style[0].numpy().mean((1, 2)), atol=1e-9)
        np.testing.assert_allclose(frame.std((1, 2)), style[0].numpy().std((1, 2)), atol=1e-4)
    assert bool(match_statistics(torch.full((1, 3, 4, 4), 0.2), style).isfinite().all())


# --- luminance -----------------------------------------------------------------------------------


def test_luma_is_the_y_of_bt601() -> None:
    x = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    for pixel, found in zip(x[0].flatten(1).T.tolist(), luma(x).flatten().tolist(), strict=True):
        assert found == pytest.approx(colorsys.rgb_to_yiq(*pixel)[0], abs=0.006)
        assert found == pytest.approx(0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2])


def test_luminance_alone_is_gray_with_the_references_mean_and_deviation() -> None:
    x, reference = picture(1), picture(2)
    assert torch.allclose(match_luminance(x), luma(x).expand(-1, 3, -1, -1))
    matched = match_luminance(x, reference)
    assert torch.equal(matched[:, 0], matched[:, 2])
    assert float(matched.mean()) == pytest.approx(float(luma(reference).mean()), abs=1e-9)
    deviation = float(matched[:, 0].std(correction=0))
    assert deviation == pytest.approx(float(luma(reference).std(correction=0)), abs=1e-4)


# --- OkLab ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [  # published by Ottosson and in CSS Color 4
        ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.62796, 0.22486, 0.12585)),
        ((0.0, 1.0, 0.0), (0.86644, -0.23389, 0.17950)),
        ((0.0, 0.0, 1.0), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_of_known_colours(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    found = to_oklab(torch.tensor(rgb, dtype=torch.float64)[None, :, None, None]).flatten()
    np.testing.assert_allclose(found.numpy(), lab, atol=2e-4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_oklab_and_back_is_the_same_colour(rgb: list[float]) -> None:
    x = torch.tensor(rgb, dtype=torch.float64)[None, :, None, None]
    assert torch.allclose(from_oklab(to_oklab(x)), x, atol=1e-9)
    assert torch.allclose(from_oklab(to_oklab(x.float())), x.float(), atol=2e-4)


@pytest.mark.parametrize("space", ["ycbcr", "oklab"])
def test_keeping_colour_keeps_the_luminance_of_the_result_exactly(space: str) -> None:
    draw = torch.Generator().manual_seed(0)
    result = torch.rand(2, 3, 20, 20, dtype=torch.float64, generator=draw)
    content = torch.rand(2, 3, 20, 20, dtype=torch.float64, generator=draw)
    kept = keep_colour(result, content, space)
    assert float(kept.min()) >= 0 and float(kept.max()) <= 1
    if space == "ycbcr":
        assert torch.allclose(luma(kept), luma(result), atol=1e-12)
    else:
        assert torch.allclose(to_oklab(kept)[:, 0], to_oklab(result)[:, 0], atol=3e-4)


@pytest.mark.parametrize("space", ["ycbcr", "oklab"])
def test_keeping_colour_keeps_the_chroma_of_the_content_where_it_can_be_shown(space: str) -> None:
    result, content = picture(1), picture(2)  # moderate colours: everything can be shown
    kept = keep_colour(result, content, space)

    def chroma(x: Tensor) -> Tensor:
        return x - luma(x) if space == "ycbcr" else to_oklab(x)[:, 1:]

    assert torch.allclose(chroma(kept), chroma(content), atol=1e-9)


@pytest.mark.parametrize("space", ["ycbcr", "oklab"])
def test_keeping_colour_keeps_the_hue_even_where_chroma_gives_way(space: str) -> None:
    white = torch.full((1, 3, 1, 1), 0.97, dtype=torch.float64)
    red = torch.tensor([0.9, 0.1, 0.1], dtype=torch.float64)[None, :, None, None]
    kept = keep_colour(white, red, space)
    if space == "ycbcr":
        a, b = (kept - luma(kept)).flatten(), (red - luma(red)).flatten()
    else:
        a, b = to_oklab(kept)[0, 1:].flatten(), to_oklab(red)[0, 1:].flatten()
    cosine = float(a @ b / (a.norm() * b.norm()))
    assert cosine == pytest.approx(1, abs=1e-3) and 0 < float(a.norm()) < float(b.norm())


@pytest.mark.parametrize("space", ["ycbcr", "oklab"])
def test_keeping_the_colour_of_a_gray_picture_gives_a_gray_picture(space: str) -> None:
    gray = luma(picture(2)).expand(-1, 3, -1, -1)
    kept = keep_colour(picture(1), gray, space)
    assert float((kept.amax(1) - kept.amin(1)).max()) < 1e-4


# --- the nodes -----------------------------------------------------------------------------------


def calls() -> list[tuple[Any, str, dict[str, Any]]]:
    return [
        (NSTColorMatch(), "match", {"method": "mkl", "strength": 1.0}),
        (NSTKeepColor(), "keep", {"space": "oklab", "strength": 1.0}),
        (NSTLuminance(), "luminance", {}),
    ]


OTHER = {"match": "reference", "keep": "content", "luminance": "reference"}


@pytest.mark.parametrize(("node", "function", "widgets"), calls())
def test_colour_nodes_never_touch_their_inputs_and_accept_half_precision_and_alpha(
    node: Any, function: str, widgets: dict[str, Any]
) -> None:
    image, other = as_image(picture(1, frames=2)), as_image(picture(2, 40, 20))
    before = image.clone(), other.clone()
    with torch.inference_mode():
        (plain,) = getattr(node, function)(image=image, **{OTHER[function]: other}, **widgets)
        with_alpha = torch.cat([image, torch.rand(2, 24, 31, 1)], dim=-1)
        (rgba,) = getattr(node, function)(image=with_alpha, **{OTHER[function]: other}, **widgets)
        (half,) = getattr(node, function)(
            image=image.half(), **{OTHER[function]: other.half()}, **widgets
        )
    assert torch.equal(image, before[0]) and torch.equal(other, before[1])
    assert plain.shape == (2, 24, 31, 3) and plain.dtype == half.dtype == torch.float32
    assert torch.equal(plain, rgba) and torch.allclose(plain, half, atol=0.02)


def test_the_nodes_offer_every_method_and_space() -> None:
    assert set(NSTColorMatch.INPUT_TYPES()["required"]["method"][0]) == set(METHODS)
    assert tuple(NSTKeepColor.INPUT_TYPES()["required"]["space"][0]) == SPACES


def test_strength_zero_leaves_the_picture_as_it_is() -> None:
    image, other = as_image(picture(1)), as_image(picture(2))
    assert torch.equal(NSTKeepColor().keep(image, other, "ycbcr", 0.0)[0], image)
    assert torch.equal(NSTColorMatch().match(image, other, "pca", 0.0)[0], image)


def test_a_batch_of_the_wrong_length_is_refused_by_name() -> None:
    image, other = as_image(picture(1, frames=3)), as_image(picture(2, frames=2))
    with pytest.raises(NodeError, match="content has 2 pictures for 3"):
        NSTKeepColor().keep(image, other, "ycbcr", 1.0)


def test_something_that_is_no_image_is_refused_by_name() -> None:
    with pytest.raises(NodeError, match=r"reference must be an IMAGE .* \(4, 5, 3\)"):
        NSTColorMatch().match(as_image(picture(1)), torch.rand(4, 5, 3), "mkl", 1.0)
