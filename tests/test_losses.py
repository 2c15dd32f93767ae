"""Every loss and its gradient against an independent float64 reference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.errors import NodeError
from nst_graph.style import sliced
from nst_graph.style.bures import root, squared_bures, squared_bures_thin
from nst_graph.style.layers import SCHEMES, layer_weights, split_layers
from nst_graph.style.losses import (
    KINDS,
    NORMALIZATIONS,
    Seen,
    content_loss,
    normalization,
    style_loss,
)
from nst_graph.style.pixel_losses import pixel_loss
from nst_graph.style.statistics import calibrated, moments
from nst_graph.values import PixelTerm

tiny: Any = sys.modules["tiny"]
torch.set_num_threads(1)
NOWHERE = sliced.Directions(torch.empty(0, 0), torch.empty(0))
F64 = torch.float64
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CHANNELS = (64, 128, 256, 512, 512)


def activations(channels: int, height: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(channels, channels, generator=generator) / channels**0.5
    noise = torch.randn(channels, height * width, generator=generator)
    return torch.relu(mix @ noise + 0.3).view(1, channels, height, width)


def calibration(channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    whiten = torch.eye(channels) + 0.2 * torch.randn(channels, channels, generator=generator)
    return whiten, 0.3 * torch.rand(channels, generator=generator)


def value_and_gradient(loss: Callable[[Seen], torch.Tensor], x: torch.Tensor, weights: Any = None):
    x = x.clone().requires_grad_()
    value = loss(Seen(x, weights))
    value.backward()
    return float(value.detach()), x.grad.double()


def reference(formula: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor):
    """Value and autograd gradient of a formula of F [C, M] in float64."""
    x = x.double().requires_grad_()
    value = formula(x[0].flatten(1))
    value.backward()
    return float(value.detach()), x.grad


def assert_equal(found, wanted, tolerance: float = 1e-5) -> None:
    assert found[0] == pytest.approx(wanted[0], rel=tolerance)
    assert (found[1] - wanted[1]).norm() <= tolerance * wanted[1].norm()


# --- Gram ----------------------------------------------------------------------------------------

FORMULAS: dict[str, Callable[[Any, Any, int, int], Any]] = {
    # G: Gram matrix F Fᵀ of the painted picture, T that of the style; C channels, M positions each
    "relative": lambda g, t, c, m: ((g / m - t / m) ** 2).sum() / ((t / m) ** 2).sum(),
    "raw": lambda g, t, c, m: ((g / m - t / m) ** 2).mean(),
    "gatys": lambda g, t, c, m: ((g - t) ** 2).sum() / (4 * c**2 * m**2),
    "gatys_notebook": lambda g, t, c, m: ((g / m - t / m) ** 2).mean(),
    "neural_style": lambda g, t, c, m: ((g / (c * m) - t / (c * m)) ** 2).mean(),
    "gordicaleksa": lambda g, t, c, m: ((g / (c * m) - t / (c * m)) ** 2).sum(),
    "comfy_fst": lambda g, t, c, m: ((g / (c * m) - t / (c * m)) ** 2).sum(),
    "pystiche": lambda g, t, c, m: ((g / m - t / m) ** 2).mean(),
    "original": lambda g, t, c, m: ((g - t) ** 2).mean() / (c * m),
    "scaled_mse": lambda g, t, c, m: ((g - t) ** 2).sum() / m**2 / ((g - t).abs().sum() / m),
}
"""As the peers' programs write them, for pictures of one size, without their layer weights."""


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_gram_losses_are_those_of_the_programs_they_are_named_after(name):
    assert set(FORMULAS) == {n for n, found in NORMALIZATIONS.items() if "gram" in found.kinds}
    x, s = activations(7, 9, 8, 1), activations(7, 9, 8, 2)
    target = moments(s)
    found = value_and_gradient(style_loss("gram", name, target, None, NOWHERE), x)
    t = s.double()[0].flatten(1)
    t = t @ t.T
    assert_equal(found, reference(lambda f: FORMULAS[name](f @ f.T, t, 7, 72), x))


@pytest.mark.parametrize(
    ("name", "weight", "k"),
    [
        ("gatys_notebook", 1.0, [0.24414, 0.061035, 0.015259, 0.0038147, 0.0038147]),
        ("neural_style", 100.0, [0.024414, 0.0061035, 0.0015259, 3.8147e-4, 3.8147e-4]),
        ("gordicaleksa", 3e4, [6000.0] * 5),
        ("pystiche", 1e3, [200.0] * 5),
        ("gatys", 1.0, [0.05] * 5),
        ("raw", 1.0, [1.0] * 5),
        ("original", 2.0, [20 / 64, 20 / 128, 20 / 256, 20 / 512, 20 / 512]),
    ],
)
def test_one_canonical_form_with_the_coefficients_of_each_program(name, weight, k):
    """All Gram losses are Σ k_l mean((S - S_s)²) with S = F Fᵀ / M; k_l for VGG-19's five taps."""
    scheme = NORMALIZATIONS[name]
    weights = layer_weights("auto", LAYERS, CHANNELS, scheme.layer_weights)
    found = [
        weight * share * scheme.factor(channels, 10)
        for share, channels in zip(weights, CHANNELS, strict=True)
    ]
    assert found == pytest.approx(k, rel=1e-4)


def test_the_relative_gram_loss_looks_at_calibrated_activations():
    x, s = activations(6, 8, 9, 1), activations(6, 5, 7, 2)
    whiten, mean = calibration(6)
    target = calibrated(moments(s), (whiten, mean))
    loss = style_loss("gram", "relative", target, (whiten, mean), NOWHERE)

    def formula(f):
        def second(f):
            z = whiten.double() @ (f - mean.double()[:, None])
            return z @ z.T / z.shape[1]

        wanted = second(s.double()[0].flatten(1))
        return (second(f) - wanted).square().sum() / wanted.square().sum()

    assert_equal(value_and_gradient(loss, x), reference(formula, x))


def test_a_relative_loss_of_one_means_as_far_away_as_nothing_at_all():
    target = moments(activations(6, 8, 8, 1))
    for kind in ("gram", "mean_std", "wasserstein"):
        loss = style_loss(kind, "relative", target, None, NOWHERE)
        assert float(loss(Seen(torch.zeros(1, 6, 8, 8)))) == pytest.approx(1, rel=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_no_loss_is_left_when_the_style_is_reached(kind):
    s = activations(6, 9, 9, 1)
    lines = sliced.directions(6, None, None if kind == "histogram" else 0)
    target: Any = moments(s)
    if kind in ("sliced", "histogram"):
        target = sliced.quantiles(lines.along(s))
    value, _ = value_and_gradient(style_loss(kind, "relative", target, None, lines), s)
    assert abs(value) < 2e-5


# --- mean and deviation --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["raw", "relative"])
def test_mean_and_deviation(name):
    x, s = activations(6, 8, 9, 1), activations(6, 8, 9, 2)
    t = s.double()[0].flatten(1)
    energy = t.square().mean(1).sum() if name == "relative" else 6

    def formula(f):
        means = (f.mean(1) - t.mean(1)).square().sum()
        deviations = (f.std(1, correction=0) - t.std(1, correction=0)).square().sum()
        return (means + deviations) / energy

    loss = style_loss("mean_std", name, moments(s), None, NOWHERE)
    assert_equal(value_and_gradient(loss, x), reference(formula, x), 1e-4)


# --- Wasserstein ---------------------------------------------------------------------------------


def bures_of(a: np.ndarray, b: np.ndarray) -> float:
    half = scipy.linalg.sqrtm(b).real
    return float(np.trace(a + b - 2 * scipy.linalg.sqrtm(half @ a @ half).real))


def covariance(rank: int, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, rank, generator=generator, dtype=F64)
    return x @ x.T / rank


@pytest.mark.parametrize(("rank", "smallest"), [(20, None), (4, None), (8, 1e-9)])
def test_bures_equals_an_independent_matrix_root(rank, smallest):
    a, b = covariance(20, 8, 1), covariance(rank, 8, 2)
    if smallest:  # one direction in which the style hardly varies
        values, vectors = torch.linalg.eigh(b)
        values[0] = smallest
        b = (vectors * values) @ vectors.T
    ridge = 1e-4 * np.eye(8)
    wanted = bures_of(a.numpy() + ridge, b.numpy() + ridge)
    assert float(squared_bures(b, 1e-4)(a)) == pytest.approx(wanted, rel=1e-7, abs=1e-9)
    single = squared_bures(b.float(), 1e-4)(a.float())
    assert float(single) == pytest.approx(wanted, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("rank", [20, 5])
def test_the_gradient_of_bures_is_its_closed_form(rank):
    """∂/∂Σ = I - Σ_s^½ (Σ_s^½ Σ Σ_s^½)^-½ Σ_s^½, by scipy's roots in float64."""
    a, b = covariance(20, 6, 1), covariance(rank, 6, 2)
    half = scipy.linalg.sqrtm(b.numpy() + 1e-4 * np.eye(6)).real
    inner = scipy.linalg.sqrtm(half @ (a.numpy() + 1e-4 * np.eye(6)) @ half).real
    wanted = np.eye(6) - half @ np.linalg.inv(inner) @ half
    for dtype, tolerance in ((F64, 1e-8), (torch.float32, 2e-4)):
        x = a.to(dtype, copy=True).requires_grad_()
        squared_bures(b.to(dtype), 1e-4)(x).backward()
        assert x.grad is not None
        error = np.linalg.norm(x.grad.double().numpy() - wanted)
        assert error < tolerance * np.linalg.norm(wanted)


def test_the_thin_form_with_fewer_positions_than_channels_has_the_same_value_and_gradient():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator, dtype=F64)
    target = covariance(30, 12, 2)
    values, gradients = [], []
    for thin in (True, False):
        leaf = x.clone().requires_grad_()
        if thin:
            value = squared_bures_thin(target, 0.0)(leaf)
        else:
            value = squared_bures(target, 0.0)(leaf @ leaf.T)
        value.backward()
        values.append(float(value.detach()))
        gradients.append(leaf.grad)
    assert values[0] == pytest.approx(values[1], rel=1e-7)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("positions", [(10, 12), (3, 2), (1, 1)])
@pytest.mark.parametrize("name", ["relative", "crowsonkb"])
def test_the_wasserstein_loss_of_activations(positions, name):
    x, s = activations(8, *positions, seed=1), activations(8, 11, 13, 2)
    loss = style_loss("wasserstein", name, moments(s), None, NOWHERE)
    value, gradient = value_and_gradient(loss, x)

    def numbers(f):
        return f.mean(1), np.cov(f, bias=True) if f.shape[1] > 1 else np.zeros((8, 8))

    mean, sigma = numbers(x.double()[0].flatten(1).numpy())
    style_mean, style_sigma = numbers(s.double()[0].flatten(1).numpy())
    epsilon = 1e-4 if name == "crowsonkb" else 1e-4 * np.trace(style_sigma) / 8
    ridge = epsilon * np.eye(8)
    own = ridge if positions[0] * positions[1] >= 8 else 0 * ridge
    wanted = ((mean - style_mean) ** 2).sum() + bures_of(sigma + own, style_sigma + ridge)
    energy = (style_mean**2).sum() + np.trace(style_sigma) if name == "relative" else 8
    assert value == pytest.approx(wanted / energy, rel=2e-4)
    assert gradient.isfinite().all()


def test_the_gradient_of_the_wasserstein_loss_equals_finite_differences():
    for size in ((6, 7), (3, 2)):  # more positions than channels, and fewer
        x, s = activations(8, *size, seed=1).double(), activations(8, 9, 9, 2).double()
        target = moments(s)
        loss = style_loss("wasserstein", "crowsonkb", target, None, NOWHERE)
        _, gradient = value_and_gradient(loss, x)
        direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(3), dtype=F64)
        ahead, back = (float(loss(Seen(x + h * direction))) for h in (1e-4, -1e-4))
        slope = float((gradient * direction).sum())
        assert slope == pytest.approx((ahead - back) / 2e-4, rel=1e-4)


def test_the_wasserstein_loss_of_a_region_is_that_of_the_region_alone():
    x, s = activations(5, 6, 10, 1), activations(5, 9, 9, 2)
    weights = torch.zeros(6, 10)
    weights[:, :4] = 1 / 24
    loss = style_loss("wasserstein", "relative", moments(s), None, NOWHERE)
    region = loss(Seen(x, weights.flatten()))
    alone = loss(Seen(x[..., :4].contiguous()))
    assert float(region) == pytest.approx(float(alone), rel=1e-4)


def test_the_root_of_a_matrix_squares_to_it():
    matrix = covariance(3, 6, 1)
    assert torch.allclose(root(matrix) @ root(matrix), matrix, atol=1e-7)


# --- sliced --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(9, 8), (6, 7)])
def test_the_sliced_loss_compares_sorted_projections(size):
    x, s = activations(6, 9, 8, 1), activations(6, *size, seed=2)
    lines = sliced.directions(6, None, 3)
    target = sliced.quantiles(lines.along(s))
    v = lines.vectors.double()
    n, m = size[0] * size[1], 72
    style_lines = (v @ s.double()[0].flatten(1)).sort(1).values.numpy()
    middles = (np.arange(m) + 0.5) / m
    wanted = [np.interp(middles, (np.arange(n) + 0.5) / n, row) for row in style_lines]

    def formula(f):
        return ((v @ f).sort(1).values - torch.tensor(np.array(wanted))).square().mean()

    loss = style_loss("sliced", "raw", target, None, lines)
    assert_equal(value_and_gradient(loss, x), reference(formula, x))


def test_a_weighted_sliced_loss_with_even_weights_is_the_unweighted_one():
    x, s = activations(6, 9, 8, 1), activations(6, 5, 5, 2)
    lines = sliced.directions(6, None, 3)
    loss = style_loss("sliced", "relative", sliced.quantiles(lines.along(s)), None, lines)
    even = torch.full((72,), 1 / 72)
    assert_equal(value_and_gradient(loss, x, even), value_and_gradient(loss, x), 1e-4)


def test_calibrated_directions_see_the_whitened_activations():
    x = activations(6, 4, 5, 1)
    whiten, mean = calibration(6)
    plain, own = sliced.directions(6, None, 3), sliced.directions(6, (whiten, mean), 3)
    white = whiten @ (x[0].flatten(1) - mean[:, None])
    assert torch.allclose(own.along(x), plain.vectors @ white, atol=1e-5)


# --- content -------------------------------------------------------------------------------------


CONTENT: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda f, p: (f - p).square().mean(),
    "gatys": lambda f, p: (f - p).square().sum() / 2,
    "relative": lambda f, p: (f - p).square().mean() / p.var(1, correction=0).mean(),
    "cosine": lambda f, p: (
        1
        - torch.nn.functional.cosine_similarity(
            f - p.mean(1, keepdim=True), p - p.mean(1, keepdim=True), dim=0
        ).mean()
    ),
}


@pytest.mark.parametrize("metric", sorted(CONTENT))
def test_content_losses(metric):
    x, p = activations(6, 8, 9, 1), activations(6, 8, 9, 2)
    found = value_and_gradient(content_loss(metric, Seen(p)), x)
    wanted = reference(lambda f: CONTENT[metric](f, p.double()[0].flatten(1)), x)
    assert_equal(found, wanted)


@pytest.mark.parametrize("metric", ["mse", "relative", "cosine"])
def test_a_content_mask_leaves_the_rest_of_the_picture_free(metric):
    x, p = activations(6, 8, 9, 1), activations(6, 8, 9, 2)
    weights = torch.zeros(8, 9)
    weights[:, :4] = 1 / 32
    value, gradient = value_and_gradient(
        content_loss(metric, Seen(p, weights.flatten())), x, weights.flatten()
    )
    assert (gradient[..., 4:] == 0).all() and (gradient[..., :4] != 0).any()
    part = content_loss(metric, Seen(p[..., :4].contiguous()))(Seen(x[..., :4].contiguous()))
    assert value == pytest.approx(float(part), rel=1e-5)


def test_flat_content_gives_a_finite_relative_loss():
    flat = torch.full((1, 4, 3, 3), 0.5)
    value, gradient = value_and_gradient(content_loss("relative", Seen(flat)), flat + 0.1)
    assert np.isfinite(value) and gradient.isfinite().all()


# --- pixels --------------------------------------------------------------------------------------


def pixels(term: PixelTerm, x: torch.Tensor, reference_picture: Any = None):
    x = x.clone().requires_grad_()
    value = pixel_loss(term, reference_picture)(x)
    value.backward()
    return float(value.detach()), x.grad.double()


def variation(name: str, x: np.ndarray) -> float:
    """Total variation written out pixel by pixel (mean form; [C, H, W])."""
    dx, dy = x[:, :, 1:] - x[:, :, :-1], x[:, 1:] - x[:, :-1]
    if name == "l1":
        return float(np.abs(dx).mean() + np.abs(dy).mean())
    if name == "l2":
        return float((dx**2).mean() + (dy**2).mean())
    p = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    _, h, w = x.shape

    def mean(rows: int, columns: int, a: tuple[int, int], b: tuple[int, int]) -> float:
        """Of the squared differences between the pixels at a and b from each place."""
        first, height, width = (1, h + 1, w + 1) if rows == h else (0, h + 1, w + 1)
        places = [(i, j) for i in range(first, height) for j in range(first, width)]
        return float(
            np.mean([(p[:, i + a[0], j + a[1]] - p[:, i + b[0], j + b[1]]) ** 2 for i, j in places])
        )

    right, below = mean(h, w, (0, 1), (0, 0)), mean(h, w, (1, 0), (0, 0))
    fall, rise = mean(h + 1, w + 1, (1, 1), (0, 0)), mean(h + 1, w + 1, (1, 0), (0, 1))
    return float(2 * ((right + below) / 3 + (fall + rise) / 12))


@pytest.mark.parametrize("kind", ["l1", "l2", "nine_point"])
def test_total_variation_and_its_gradient(kind):
    x = tiny.picture(6, 7).movedim(-1, 1)
    value, gradient = pixels(PixelTerm("tv", kind=kind), x)
    assert value == pytest.approx(variation(kind, x[0].double().numpy()), rel=1e-5)
    direction = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)).double()
    ahead, back = (variation(kind, (x.double() + h * direction)[0].numpy()) for h in (1e-6, -1e-6))
    assert float((gradient * direction).sum()) == pytest.approx((ahead - back) / 2e-6, rel=1e-3)


def test_legacy_sums_of_total_variation_equal_their_identities():
    x = tiny.picture(6, 7).movedim(-1, 1)
    d = x[0].double().numpy()
    dx, dy = d[:, :, 1:] - d[:, :, :-1], d[:, 1:] - d[:, :-1]
    sums = (("reduction", "sum"), ("value_scale", 255.0))
    found, _ = pixels(PixelTerm("tv", kind="l1", options=sums), x)
    assert 1e-3 * found == pytest.approx(0.255 * (np.abs(dx).sum() + np.abs(dy).sum()), rel=1e-5)
    sums = (("reduction", "sum"), ("value_scale", 256.0))
    found, _ = pixels(PixelTerm("tv", kind="l2", options=sums), x)
    wanted = 32.768 * ((dx**2).sum() + (dy**2).sum())
    assert 1e-3 / 2 * found == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
@pytest.mark.parametrize("kind", ["l1", "l2", "nine_point"])
def test_total_variation_of_a_single_row_or_pixel_is_finite(kind, size):
    value, gradient = pixels(PixelTerm("tv", kind=kind), torch.rand(1, 3, *size))
    assert np.isfinite(value) and gradient.isfinite().all()


def test_the_histogram_loss_vanishes_for_shuffled_pixels_and_pulls_towards_the_reference():
    x = tiny.picture(8, 9).movedim(-1, 1)
    order = torch.randperm(72, generator=torch.Generator().manual_seed(1))
    shuffled = x.flatten(2)[..., order].view_as(x)
    term = PixelTerm("histogram", kind="histogram")
    assert pixels(term, x, shuffled)[0] == pytest.approx(0, abs=1e-12)
    _, gradient = pixels(term, x, x * 0 + 1)
    assert torch.allclose(gradient, (2 * (x - 1) / x.numel()).double(), atol=1e-7)


def test_the_laplacian_loss_equals_its_formula():
    x, c = tiny.picture(16, 24).movedim(-1, 1), tiny.picture(16, 24, 2).movedim(-1, 1)

    def edges(image: np.ndarray, size: int) -> np.ndarray:
        h, w = image.shape[1] // size, image.shape[2] // size
        cells = image[:, : h * size, : w * size].reshape(3, h, size, w, size)
        p = np.pad(cells.mean((2, 4)).sum(0), 1, mode="edge")
        return 4 * p[1:-1, 1:-1] - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:]

    a, b = x[0].double().numpy(), c[0].double().numpy()
    sums = sum(((edges(a, p) - edges(b, p)) ** 2).sum() for p in (4, 8))
    relative = sum(
        ((edges(a, p) - edges(b, p)) ** 2).sum() / (edges(b, p) ** 2).sum() for p in (4, 8)
    )
    for scale, wanted in (("sum", sums), ("relative", relative)):
        options = (("pooling", "4, 8"), ("scale", scale))
        term = PixelTerm("laplacian", kind="laplacian", options=options)
        assert pixels(term, x, c)[0] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (PixelTerm("tv", kind="l3"), "link a picture|unknown kind"),
        (PixelTerm("tv", kind="l2", options=(("reduction", "median"),)), "reduction"),
        (PixelTerm("histogram", kind="histogram"), "link a picture"),
    ],
)
def test_pixel_losses_that_make_no_sense_are_refused(term, says):
    with pytest.raises(NodeError, match=says):
        pixel_loss(term, None)


def test_a_laplacian_coarser_than_the_picture_is_refused():
    term = PixelTerm("laplacian", kind="laplacian", options=(("pooling", "64"),))
    with pytest.raises(NodeError, match="larger than the picture"):
        pixel_loss(term, torch.rand(1, 3, 16, 16))


# --- layer weights -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("auto", [0.35, 0.25, 0.20, 0.12, 0.08]),
        ("equal", [0.2] * 5),
        ("ones", [1] * 5),
        ("crowsonkb", [256 / 341, 64 / 341, 16 / 341, 4 / 341, 1 / 341]),
        ("halving", [16 / 31, 8 / 31, 4 / 31, 2 / 31, 1 / 31]),
        ("gatys_notebook", [0.24414, 0.061035, 0.015259, 0.0038147, 0.0038147]),
        ("0.9,0.72, 0.2 0.2;0.2", [0.9, 0.72, 0.2, 0.2, 0.2]),
        ("relu1_1=0.9, relu2_1 = 0.72", [0.9, 0.72, 0, 0, 0]),
        ("r31: 2", [0, 0, 2, 0, 0]),
    ],
)
def test_layer_weights(text, wanted):
    assert layer_weights(text, LAYERS, CHANNELS) == pytest.approx(wanted, rel=1e-4)


def test_automatic_shares_go_by_block_and_add_up_to_one():
    found = layer_weights("auto", ("relu1_1", "relu1_2", "relu3_1"), (8, 8, 8))
    assert sum(found) == pytest.approx(1)
    assert found[0] == found[1] and found[0] + found[1] == pytest.approx(0.35 / 0.55)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("atuo", "did you mean 'auto'"),
        ("1, 2, 3", "3 numbers for 5 layers"),
        ("relu4_2=1", "does not use"),
        ("relu1_1=1, r11=2", "twice"),
        ("relu1_1=-1", "0 or more"),
        ("relu1_1=nan", "0 or more"),
        ("1,1,1,1,x1", "0 or more"),
    ],
)
def test_layer_weights_that_make_no_sense_are_refused(text, says):
    with pytest.raises(NodeError, match=says):
        layer_weights(text, LAYERS, CHANNELS)


@given(st.text(max_size=30))
def test_any_text_is_a_list_of_weights_or_one_clear_error(text):
    try:
        found = layer_weights(text, LAYERS, CHANNELS)
    except NodeError:
        return
    assert len(found) == 5 and all(weight >= 0 for weight in found)


def test_layer_names_are_separated_by_commas_or_blanks_and_count_once():
    assert split_layers(" relu1_1, relu2_1;relu1_1\nrelu3_1 ") == ("relu1_1", "relu2_1", "relu3_1")
    with pytest.raises(NodeError, match="at most"):
        split_layers(",".join(f"relu{i}" for i in range(100)))


def test_kinds_and_normalisations_that_do_not_go_together_are_refused():
    assert normalization("auto", "gram")[0] == "relative"
    for name, kind in (("gatys", "sliced"), ("crowsonkb", "gram"), ("auto", "mud")):
        with pytest.raises(NodeError, match="one of"):
            normalization(name, kind)
    assert {found.layer_weights for found in NORMALIZATIONS.values()} <= set(SCHEMES)
