"""Moments, regions, calibration, blends and quantiles against float64 and closed forms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph.errors import NodeError
from nst_graph.style import sliced
from nst_graph.style.bures import barycentre
from nst_graph.style.encoder import load_encoder
from nst_graph.style.statistics import Moments, calibrated, moments, positions, region_weights
from nst_graph.style.targets import Wish, style_size, style_statistics
from nst_graph.values import STYLE_LAYERS, EncoderChoice, Gram, StyleSource

tiny: Any = sys.modules["tiny"]
torch.set_num_threads(1)


def random_features(channels: int = 5, height: int = 6, width: int = 7, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator) + 0.5


def explicit(features: torch.Tensor, weights: torch.Tensor | None) -> tuple[Any, Any]:
    """Second moment and mean in float64, position by position."""
    f = features.double()[0].flatten(1).numpy()
    w = np.full(f.shape[1], 1 / f.shape[1]) if weights is None else weights.double().numpy()
    second = sum(w[i] * np.outer(f[:, i], f[:, i]) for i in range(f.shape[1]))
    return second, sum(w[i] * f[:, i] for i in range(f.shape[1]))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_and_their_gradient_equal_the_definition_in_float64(layout, weighted):
    features = random_features().contiguous(memory_format=layout).requires_grad_()
    weights = None
    if weighted:
        weights = torch.rand(42, generator=torch.Generator().manual_seed(3))
        weights = weights / weights.sum()
    found = moments(features, weights)
    second, mean = explicit(features.detach(), weights)
    assert found.second.detach().numpy() == pytest.approx(second, abs=1e-6)
    assert found.mean.detach().numpy() == pytest.approx(mean, abs=1e-6)
    assert found.count == 42

    generator = torch.Generator().manual_seed(9)
    a = torch.randn(5, 5, generator=generator, dtype=torch.float64)  # deliberately asymmetric
    b = torch.randn(5, generator=generator, dtype=torch.float64)
    ((a.float() * found.second).sum() + (b.float() * found.mean).sum()).backward()
    x = features.detach().double().requires_grad_()
    w = torch.full((42,), 1 / 42, dtype=torch.float64) if weights is None else weights.double()
    f = x[0].flatten(1)
    ((a * ((f * w) @ f.T)).sum() + (b * (f @ w)).sum()).backward()
    assert features.grad.numpy() == pytest.approx(x.grad.numpy(), abs=2e-6)


def test_moments_of_half_precision_activations_are_summed_in_float32():
    features = random_features(4, 64, 64).bfloat16()
    found = moments(features)
    second, mean = explicit(features, None)
    assert found.second.dtype == torch.float32
    assert found.second.numpy() == pytest.approx(second, rel=1e-5, abs=1e-5)
    assert found.mean.numpy() == pytest.approx(mean, abs=1e-5)


def test_calibrating_moments_equals_moments_of_whitened_activations():
    encoder = load_encoder(EncoderChoice(), Path("nowhere"))
    image = tiny.picture(96, 128).movedim(-1, 1)
    for layer, features in encoder(image, STYLE_LAYERS).items():
        whiten, mean = (t.double() for t in encoder.calibration(layer))
        white = (positions(features).double() - mean) @ whiten.T
        wanted = white.T @ white / len(white)
        found = calibrated(moments(features), encoder.calibration(layer))
        assert (found.second - wanted).norm() < 2e-5 * wanted.norm(), layer
        assert (found.mean - white.mean(0)).norm() < 2e-5 * white.mean(0).norm() + 1e-5, layer


def test_variance_and_covariance_belong_together():
    found = moments(random_features())
    assert found.variance.numpy() == pytest.approx(found.covariance.diagonal().numpy(), abs=1e-6)
    assert (moments(torch.full((1, 3, 4, 4), 0.7)).variance >= 0).all()


# --- regions -------------------------------------------------------------------------------------


def test_a_constant_mask_of_any_strength_is_no_mask():
    for strength in (1.0, 0.3, 1e-3):
        weights = region_weights(torch.full((32, 48), strength), (4, 6), 8)
        assert weights is not None
        assert weights.numpy() == pytest.approx(np.full(24, 1 / 24), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_the_statistics_of_a_rectangle_do_not_depend_on_its_area(height, width, seed):
    """A region that shows a constant has that constant's moments, however small it is."""
    features = random_features(3, 8, 8, seed)
    features[..., :height, :width] = torch.tensor([1.0, 2.0, 3.0])[None, :, None, None]
    mask = torch.zeros(64, 64)
    mask[: height * 8, : width * 8] = 1
    found = moments(features, region_weights(mask, (8, 8), 8))
    assert found.mean.tolist() == pytest.approx([1, 2, 3], rel=1e-4)
    assert found.second.diagonal().tolist() == pytest.approx([1, 4, 9], rel=1e-4)


def test_a_soft_mask_counts_by_its_square():
    mask = torch.ones(2, 2)
    mask[0, 0] = 0.5
    found = region_weights(mask, (2, 2), 1)
    assert found is not None
    assert found.tolist() == pytest.approx([0.25 / 3.25, *[1 / 3.25] * 3])


def test_a_region_vanishes_at_layers_that_cannot_see_it_and_an_empty_one_is_refused():
    mask = torch.zeros(64, 64)
    mask[:2, :2] = 1
    assert region_weights(mask, (64, 64), 1) is not None
    assert region_weights(mask, (4, 4), 16) is None
    with pytest.raises(NodeError, match="empty"):
        region_weights(torch.zeros(64, 64), (4, 4), 16)


# --- styles --------------------------------------------------------------------------------------


def measured(gram: Gram, painted: tuple[int, int] = (48, 56), **options: Any) -> Any:
    notes: list[str] = []
    encoder = tiny.encoder()
    wish = options.pop("wish", Wish(calibrated=False))
    frame = options.pop("frame", 0)
    found = style_statistics(gram, gram.layers, encoder, painted, frame, wish, notes.append)
    return found, notes


def test_a_style_is_measured_at_the_long_side_of_the_painted_picture():
    assert style_size((100, 200), (64, 48), 1.0, 16) == (32, 64)
    assert style_size((100, 200), (64, 48), 2.0, 16) == (64, 128)
    assert style_size((100, 200), (640, 480), 1.0, 16) == (100, 200)  # never enlarged …
    assert style_size((4, 200), (640, 480), 1.0, 16) == (16, 800)  # … unless it must be


@pytest.mark.parametrize("blend", ["moments", "barycentre"])
def test_a_blend_of_equal_styles_is_the_style(blend):
    image = tiny.picture()
    alone, _ = measured(tiny.style(image))
    source = StyleSource(tiny.features(image))
    parts = (source, StyleSource(tiny.features(image), weight=3.0))
    both, _ = measured(Gram(parts, tiny.STYLE, blend=blend))
    for layer in tiny.STYLE:
        size = alone[layer].second.norm()
        assert (both[layer].second - alone[layer].second).norm() < 2e-4 * size
        assert (both[layer].mean - alone[layer].mean).norm() < 1e-5 * size


def test_a_blend_of_moments_is_linear_in_the_weights():
    a, b = tiny.picture(seed=1), tiny.picture(seed=2)
    first, second = measured(tiny.style(a))[0], measured(tiny.style(b))[0]
    sources = (StyleSource(tiny.features(a), 1.0), StyleSource(tiny.features(b), 3.0))
    both, _ = measured(Gram(sources, tiny.STYLE))
    for layer in tiny.STYLE:
        wanted = 0.25 * first[layer].second + 0.75 * second[layer].second
        assert torch.allclose(both[layer].second, wanted, rtol=1e-5)


def test_layers_follow_only_the_sources_given_to_them():
    a, b = tiny.picture(seed=1), tiny.picture(seed=2)
    sources = (StyleSource(tiny.features(a)), StyleSource(tiny.features(b)))
    mixed = Gram(sources, tiny.STYLE, layer_sources=(("relu1_1", (0,)), ("relu3_1", (1,))))
    found, _ = measured(mixed)
    assert torch.equal(found["relu1_1"].second, measured(tiny.style(a))[0]["relu1_1"].second)
    assert torch.equal(found["relu3_1"].second, measured(tiny.style(b))[0]["relu3_1"].second)


def test_the_barycentre_of_commuting_gaussians_is_the_mean_of_their_roots():
    diagonals = [torch.tensor([1.0, 4.0, 9.0]), torch.tensor([16.0, 1.0, 0.25])]
    parts = [
        (b, Moments(torch.diag(d), torch.zeros(3), 10))
        for b, d in zip((0.3, 0.7), diagonals, strict=True)
    ]
    wanted = (0.3 * diagonals[0].sqrt() + 0.7 * diagonals[1].sqrt()) ** 2
    found = barycentre(parts).covariance
    assert torch.allclose(found, torch.diag(wanted), atol=1e-4)


def test_equalised_sources_count_alike_whatever_their_energy():
    faint, strong = tiny.picture(seed=1) * 0.1, tiny.picture(seed=2)
    sources = (StyleSource(tiny.features(faint)), StyleSource(tiny.features(strong)))
    first, second = measured(tiny.style(faint))[0], measured(tiny.style(strong))[0]
    both, _ = measured(Gram(sources, tiny.STYLE, equalise=True))
    for layer in tiny.STYLE:
        a, b = first[layer].second, second[layer].second
        share = (1 / a.norm()) / (1 / a.norm() + 1 / b.norm())
        assert torch.allclose(both[layer].second, share * a + (1 - share) * b, rtol=1e-4)


def test_a_picture_and_its_mirror_image_have_the_same_augmented_style():
    image = tiny.picture(48, 48)
    for augment in ("mirror", "all"):
        a, _ = measured(tiny.style(image, augment=augment))
        b, _ = measured(tiny.style(image.flip(2), augment=augment))
        for layer in tiny.STYLE:
            assert torch.allclose(a[layer].second, b[layer].second, rtol=1e-4, atol=1e-6)
    plain, _ = measured(tiny.style(image))
    assert not torch.allclose(a["relu1_1"].second, plain["relu1_1"].second, rtol=1e-4)


def test_a_style_mask_leaves_the_rest_of_the_picture_out():
    image = tiny.picture(64, 64)
    other = image.clone()
    other[:, 32:] = tiny.picture(64, 64, seed=7)[:, 32:]
    mask = torch.zeros(1, 64, 64)
    mask[:, :16] = 1  # far enough from the change for the receptive fields
    a, _ = measured(tiny.style(image, mask=mask), (64, 64))
    b, _ = measured(tiny.style(other, mask=mask), (64, 64))
    for layer in tiny.STYLE:
        assert torch.allclose(a[layer].second, b[layer].second, rtol=1e-5, atol=1e-7)


def test_the_frame_of_a_style_batch_goes_with_the_frame_that_is_painted():
    batch = torch.cat([tiny.picture(seed=1), tiny.picture(seed=2)])
    for frame, seed in ((0, 1), (1, 2), (5, 2)):
        found, _ = measured(tiny.style(batch), frame=frame)
        wanted, _ = measured(tiny.style(tiny.picture(seed=seed)))
        assert torch.equal(found["relu2_1"].second, wanted["relu2_1"].second)


def test_statistics_are_computed_once_per_picture_and_size(monkeypatch):
    gram = tiny.style(tiny.picture(seed=11))
    first, _ = measured(gram)
    monkeypatch.setattr("nst_graph.style.targets._computed", lambda *a: pytest.fail("again"))
    again, _ = measured(gram)
    assert again["relu1_1"] is first["relu1_1"]
    with pytest.raises(pytest.fail.Exception):
        measured(gram, (40, 40))


@pytest.mark.parametrize(
    ("gram", "says"),
    [
        (Gram((), ("relu1_1",)), "no picture"),
        (tiny.style(tiny.picture(), augment="shake"), "augment"),
        (Gram((StyleSource(tiny.features(tiny.picture())),), tiny.STYLE, blend="mud"), "blend"),
        (
            Gram(tuple(StyleSource(tiny.features(tiny.picture()), 0.0) for _ in "ab"), tiny.STYLE),
            "weights of the styles",
        ),
        (
            Gram(
                tuple(StyleSource(tiny.features(tiny.picture(seed=s)), 2.0 - s) for s in (1, 3)),
                tiny.STYLE,
                blend="barycentre",
            ),
            "negative",
        ),
    ],
)
def test_styles_that_make_no_sense_are_refused(gram, says):
    with pytest.raises(NodeError, match=says):
        measured(gram)


# --- quantiles -----------------------------------------------------------------------------------


def test_quantiles_of_a_whole_picture_are_its_sorted_values():
    values = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sliced.quantiles(values).values, values.sort(1).values)


def test_interpolated_quantiles_equal_numpys():
    values = torch.randn(2, 37, generator=torch.Generator().manual_seed(0)).sort(1).values
    for count in (10, 37, 101):
        found = sliced.at_middles(sliced.Quantiles(values), count)
        middles = (np.arange(count) + 0.5) / count
        known = (np.arange(37) + 0.5) / 37
        for row, wanted in zip(found, values, strict=True):
            assert row.numpy() == pytest.approx(np.interp(middles, known, wanted.numpy()), abs=1e-5)


def test_weighted_quantiles_ignore_what_does_not_count():
    values = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    weights = torch.zeros(40)
    weights[:25] = 1 / 25
    found = sliced.quantiles(values, weights).values
    assert torch.allclose(found, values[:, :25].sort(1).values, atol=1e-5)


def test_directions_are_unit_vectors_and_the_same_for_one_seed():
    a, b = sliced.directions(12, None, 5), sliced.directions(12, None, 5)
    assert torch.equal(a.vectors, b.vectors)
    assert a.vectors.norm(dim=1).tolist() == pytest.approx([1] * 12)
    assert not torch.equal(a.vectors, sliced.directions(12, None, 6).vectors)
