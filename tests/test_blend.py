"""Styles mixed, restricted and measured otherwise, against float64 references."""

from __future__ import annotations

from typing import Any

import pytest
import tiny
import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.nodes.blend import NSTBlendStyles, NSTInterpolateStyles, NSTMixLayers
from nst_graph.nodes.style_options import NSTStyleOptions
from nst_graph.style import bures
from nst_graph.style.statistics import Moments
from nst_graph.style.targets import Wish, style_statistics
from nst_graph.values import EncoderChoice, Features, Gram, StyleSource

SIZE = (48, 56)
RAW = Wish(calibrated=False)


def measured(style: Gram, size: tuple[int, int] = SIZE, **options: Any) -> dict[str, Moments]:
    found = style_statistics(
        style, style.layers, tiny.encoder(**options), size, 0, RAW, lambda message: None
    )
    return {layer: part for layer, part in found.items() if isinstance(part, Moments)}


def reference(image: Tensor, layer: str, **options: Any) -> tuple[Tensor, Tensor]:
    """Second moment and mean in float64, straight from the definition."""
    x = image[0].movedim(-1, 0)[None]
    with torch.no_grad():
        found = tiny.encoder(**options)(x, [layer])[layer].double().flatten(2)[0]
    return found @ found.T / found.shape[1], found.mean(1)


def blend(*parts: tuple[Gram, float], **options: Any) -> Gram:
    named: dict[str, Any] = {}
    for number, (gram, weight) in enumerate(parts, start=1):
        named |= {f"gram_{number}": gram, f"weight_{number}": weight}
    settings = {"blend": "moments", "equalise": False, "allow_negative": False} | options
    return NSTBlendStyles().blend_styles(**named, **settings)[0]


def same(a: dict[str, Moments], b: dict[str, Moments], tolerance: float = 1e-6) -> None:
    assert a.keys() == b.keys()
    for layer in a:
        size = float(b[layer].second.norm())
        assert float((a[layer].second - b[layer].second).norm()) <= tolerance * size, layer
        torch.testing.assert_close(a[layer].mean, b[layer].mean, rtol=tolerance, atol=tolerance)


@pytest.fixture
def three() -> list[Gram]:
    return [tiny.style(tiny.picture(*SIZE, seed=seed)) for seed in (1, 2, 3)]


# -- blends


@pytest.mark.parametrize("equalise", [False, True])
@pytest.mark.parametrize("rule", ["moments", "barycentre"])
def test_a_blend_of_equal_styles_is_that_style(rule: str, equalise: bool) -> None:
    picture = tiny.picture(*SIZE)
    parts = [(tiny.style(picture.clone()), weight) for weight in (0.2, 1.3, 0.5)]
    mixed = blend(*parts, blend=rule, equalise=equalise)
    assert len(mixed.sources) == 3
    same(measured(mixed), measured(parts[0][0]), 1e-5)


def test_moments_blend_by_their_shares_of_the_sum(three: list[Gram]) -> None:
    weights = (3.0, 1.0, 0.5)
    found = measured(blend(*zip(three, weights, strict=True)))
    for layer in tiny.STYLE:
        parts = [reference(style.sources[0].features.image, layer) for style in three]
        second = sum(w * part[0] for w, part in zip(weights, parts, strict=True)) / sum(weights)
        mean = sum(w * part[1] for w, part in zip(weights, parts, strict=True)) / sum(weights)
        torch.testing.assert_close(found[layer].second.double(), second, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found[layer].mean.double(), mean, rtol=1e-4, atol=1e-6)


def test_equalised_styles_contribute_alike(three: list[Gram]) -> None:
    strong = tiny.style((three[0].sources[0].features.image * 0.2).contiguous())
    found = measured(blend((strong, 1.0), (three[1], 1.0), equalise=True))
    for layer in tiny.STYLE:
        a, _ = reference(strong.sources[0].features.image, layer)
        b, _ = reference(three[1].sources[0].features.image, layer)
        wanted = (a / a.norm() + b / b.norm()) / (1 / a.norm() + 1 / b.norm())
        torch.testing.assert_close(found[layer].second.double(), wanted, rtol=1e-4, atol=1e-6)


def test_a_barycentre_of_commuting_covariances_has_its_closed_form() -> None:
    """Agueh & Carlier 2011: Σ = (Σ b_i Σ_i^½)² where the Σ_i commute."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))[0]
    spectra = [torch.rand(6, generator=generator, dtype=torch.float64) + 0.01 for _ in range(3)]
    means = [torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(3)]
    weights = (0.5, 0.2, 0.3)
    parts = []
    for weight, spectrum, mean in zip(weights, spectra, means, strict=True):
        covariance = (basis * spectrum) @ basis.T
        parts.append((weight, Moments(covariance + torch.outer(mean, mean), mean, 9)))
    found = bures.barycentre(parts)
    roots = sum(b * spectrum.sqrt() for b, spectrum in zip(weights, spectra, strict=True))
    mean = sum(b * mean for b, mean in zip(weights, means, strict=True))
    torch.testing.assert_close(found.covariance, (basis * roots**2) @ basis.T, atol=1e-8, rtol=0)
    torch.testing.assert_close(found.mean, mean)


def test_a_barycentre_of_two_lies_on_the_geodesic_between_them(three: list[Gram]) -> None:
    """McCann 1997: W(Σ_t, A) = t W(A, B), with W from its definition in float64."""

    def distance(a: Moments, b: Moments) -> float:
        half = _root(a.covariance.double())
        cross = _root(half @ b.covariance.double() @ half)
        bures2 = a.covariance.double().trace() + b.covariance.double().trace() - 2 * cross.trace()
        return float(((a.mean - b.mean).double().square().sum() + bures2).clamp_min(0).sqrt())

    node = NSTInterpolateStyles()
    ends = measured(three[0]), measured(three[1])
    between = measured(node.interpolate(three[0], three[1], 0.3, "barycentre")[0])
    for layer in ("relu1_1", "relu2_1"):
        whole = distance(ends[0][layer], ends[1][layer])
        assert distance(ends[0][layer], between[layer]) == pytest.approx(0.3 * whole, rel=0.02)
        assert distance(ends[1][layer], between[layer]) == pytest.approx(0.7 * whole, rel=0.02)


def test_a_barycentre_of_three_is_where_its_optimal_maps_average_to_the_identity() -> None:
    """Agueh & Carlier 2011, eq. 3.9: Σ = Σ_i b_i (Σ^½ Σ_i Σ^½)^½, here without full rank."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for weight, rank in ((0.5, 12), (0.3, 5), (0.2, 7)):
        x = torch.randn(12, rank, generator=generator, dtype=torch.float64)
        parts.append((weight, Moments(x @ x.T / rank, torch.zeros(12, dtype=torch.float64), rank)))
    found = bures.barycentre(parts).covariance
    half = _root(found)
    average = sum(b * _root(half @ part.covariance @ half) for b, part in parts)
    # The roots of the directions that a picture lacks are those of what it is lifted by.
    assert float((average - found).norm() / found.norm()) < 1e-3


def test_a_barycentre_of_thin_pictures_lies_between_them() -> None:
    """In a small picture the deep layers have fewer positions than channels."""
    styles = [tiny.style(tiny.picture(12, 12, seed=seed)) for seed in (1, 2, 3)]
    for count in (2, 3):
        found = measured(blend(*((x, 1.0) for x in styles[:count]), blend="barycentre"), (12, 12))
        ends = [measured(style, (12, 12)) for style in styles[:count]]
        for layer in tiny.STYLE:
            assert ends[0]["relu3_1"].count < len(ends[0]["relu3_1"].mean)
            trace = float(found[layer].covariance.trace())
            most = max(float(end[layer].covariance.trace()) for end in ends)
            assert 0 <= trace <= most * 1.001
            lowest = torch.linalg.eigvalsh(found[layer].covariance.double())[0]
            assert float(lowest) > -1e-4 * most


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def test_the_ends_of_an_interpolation_are_the_styles_themselves(three: list[Gram]) -> None:
    node = NSTInterpolateStyles()
    for position, wanted in ((0.0, three[0]), (1.0, three[1])):
        (found,) = node.interpolate(three[0], three[1], position, "moments")
        assert len(found.sources) == 1
        same(measured(found), measured(wanted), 0)


def test_a_weight_of_zero_leaves_a_style_out(three: list[Gram]) -> None:
    found = blend((three[0], 1.0), (three[1], 0.0))
    assert [source.features for source in found.sources] == [three[0].sources[0].features]
    with pytest.raises(NodeError, match="weights of all styles are 0"):
        blend((three[0], 0.0), (three[1], 0.0))


def test_a_negative_weight_needs_the_switch_and_subtracts(three: list[Gram]) -> None:
    with pytest.raises(NodeError, match=r"weight of gram_2 is below 0; turn on allow_negative"):
        blend((three[0], 1.0), (three[1], -0.25))
    with pytest.raises(NodeError, match="barycentre"):
        blend((three[0], 1.0), (three[1], -0.25), allow_negative=True, blend="barycentre")
    found = measured(blend((three[0], 1.0), (three[1], -0.25), allow_negative=True))
    for layer in tiny.STYLE:
        a, _ = reference(three[0].sources[0].features.image, layer)
        b, _ = reference(three[1].sources[0].features.image, layer)
        wanted = (a - 0.25 * b) / 1.25
        torch.testing.assert_close(found[layer].second.double(), wanted, rtol=1e-4, atol=1e-6)


def test_a_blend_of_a_blend_counts_every_picture_by_its_share(three: list[Gram]) -> None:
    inner = blend((three[0], 1.0), (three[1], 3.0))
    nested = blend((inner, 1.0), (three[2], 1.0))
    flat = blend((three[0], 0.125), (three[1], 0.375), (three[2], 0.5))
    same(measured(nested), measured(flat))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({"blend": "barycentre"}, {}),
        ({"equalise": True}, {}),
        ({}, {"blend": "barycentre"}),
        ({}, {"equalise": True}),
    ],
)
def test_blends_that_cannot_be_written_out_are_refused(
    three: list[Gram], inner: dict[str, Any], outer: dict[str, Any]
) -> None:
    mixed = blend((three[0], 1.0), (three[1], 1.0), **inner)
    with pytest.raises(NodeError, match="gram_2 is a blend itself"):
        blend((three[2], 1.0), (mixed, 1.0), **outer)


def test_styles_seen_by_different_encoders_do_not_blend(three: list[Gram]) -> None:
    features = Features(tiny.picture(), EncoderChoice("other"), tiny.STYLE)
    other = Gram((StyleSource(features),), tiny.STYLE)
    with pytest.raises(NodeError, match="gram_1 and gram_2 are seen by different encoders"):
        blend((three[0], 1.0), (other, 1.0))


# -- layers


def test_a_layer_mix_uses_exactly_the_named_layers(three: list[Gram]) -> None:
    (mixed,) = NSTMixLayers().mix(coarse=three[0], fine=three[1], first_coarse_block=2)
    found, coarse, fine = measured(mixed), measured(three[0]), measured(three[1])
    assert mixed.layers == tiny.STYLE
    same({"relu1_1": found["relu1_1"]}, {"relu1_1": fine["relu1_1"]}, 0)
    for layer in ("relu2_1", "relu3_1"):
        same({layer: found[layer]}, {layer: coarse[layer]}, 0)


def test_a_mix_of_a_blend_keeps_the_rule_of_the_blend(three: list[Gram]) -> None:
    coarse = blend((three[0], 1.0), (three[1], 1.0), blend="barycentre")
    (mixed,) = NSTMixLayers().mix(coarse=coarse, fine=three[2], first_coarse_block=2)
    found, wanted = measured(mixed), measured(coarse)
    for layer in ("relu2_1", "relu3_1"):
        same({layer: found[layer]}, {layer: wanted[layer]}, 1e-6)
    same({"relu1_1": found["relu1_1"]}, {"relu1_1": measured(three[2])["relu1_1"]}, 0)
    other = blend((three[0], 1.0), (three[1], 1.0))
    with pytest.raises(NodeError, match="coarse and fine are blends by different rules"):
        NSTMixLayers().mix(coarse=coarse, fine=other, first_coarse_block=2)


def test_a_mix_blended_with_a_third_style_shares_every_layer(three: list[Gram]) -> None:
    (mixed,) = NSTMixLayers().mix(coarse=three[0], fine=three[1], first_coarse_block=2)
    found = measured(blend((mixed, 1.0), (three[2], 1.0)))
    same(
        {"relu1_1": found["relu1_1"]},
        {"relu1_1": measured(blend((three[1], 1.0), (three[2], 1.0)))["relu1_1"]},
    )
    deep = measured(blend((three[0], 1.0), (three[2], 1.0)))
    same({"relu3_1": found["relu3_1"]}, {"relu3_1": deep["relu3_1"]})


def test_a_mix_with_nothing_on_one_side_is_refused(three: list[Gram]) -> None:
    shallow = tiny.style(tiny.picture(), ("relu1_1",))
    with pytest.raises(NodeError, match=r"coarse has no layer on its side of block 3"):
        NSTMixLayers().mix(coarse=shallow, fine=three[0], first_coarse_block=3)


def test_layers_are_restricted_by_name() -> None:
    from nst_graph.nodes.features import VGGFeatures
    from nst_graph.nodes.gram import GramMatrix

    (features,) = VGGFeatures().encode(tiny.picture(), "compact", "relu1_1,relu2_1,relu3_1")
    (gram,) = GramMatrix().measure(features)
    (found,) = NSTStyleOptions().apply(gram, 1.0, "keep", "r21, relu1_1")
    assert found.layers == ("relu2_1", "relu1_1")
    with pytest.raises(NodeError, match=r"relu4_1 is not among the layers of this style"):
        NSTStyleOptions().apply(gram, 1.0, "keep", "relu4_1")


# -- size, turned copies, regions


def test_a_style_at_half_the_scale_is_the_picture_at_half_its_size() -> None:
    from nst_graph.style.resize import resize

    picture = tiny.picture(64, 96)
    (half,) = NSTStyleOptions().apply(tiny.style(picture), 0.5, "keep", "")
    small = resize(picture.movedim(-1, 1), (32, 48)).movedim(1, -1)
    found = measured(half, (64, 96))
    for layer in tiny.STYLE:
        wanted, _ = reference(small, layer)
        torch.testing.assert_close(found[layer].second.double(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("augment", "change"),
    [
        ("mirror", lambda x: x.flip(2)),
        ("rotate", lambda x: x.rot90(1, (1, 2))),
        ("all", lambda x: x.rot90(3, (1, 2)).flip(1)),
    ],
)
def test_augmented_statistics_do_not_know_how_the_picture_hangs(augment: str, change: Any) -> None:
    picture = tiny.picture(48, 48)
    node = NSTStyleOptions()
    (upright,) = node.apply(tiny.style(picture), 1.0, augment, "")
    (turned,) = node.apply(tiny.style(change(picture).contiguous()), 1.0, augment, "")
    same(measured(upright), measured(turned), 1e-5)
    plain, other = (measured(tiny.style(x)) for x in (picture, change(picture).contiguous()))
    assert not torch.allclose(plain["relu2_1"].second, other["relu2_1"].second, rtol=1e-3)


def test_masked_statistics_do_not_depend_on_the_area_or_strength_of_the_mask() -> None:
    """On a texture of period 8, any whole number of periods has the same statistics."""
    tile = torch.rand(1, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    picture = tile.repeat(1, 12, 12, 1)
    found = []
    for rows, columns, strength in ((24, 24, 1.0), (40, 16, 1.0), (24, 24, 0.3)):
        mask = torch.zeros(1, 96, 96)
        mask[:, 24 : 24 + rows, 32 : 32 + columns] = strength
        found.append(measured(tiny.style(picture, mask=mask), (96, 96)))
    same(found[1], found[0], 1e-5)
    same(found[2], found[0], 1e-5)


def test_a_mask_of_a_style_hides_the_rest_of_its_picture() -> None:
    left, right = tiny.picture(64, 64, seed=1), tiny.picture(64, 64, seed=2)
    both = torch.cat([left, right], 2)
    mask = torch.zeros(1, 64, 128)
    mask[:, :, :64] = 1
    found = measured(tiny.style(both, mask=mask), (64, 128))["relu1_1"]
    wanted, _ = reference(left, "relu1_1")
    other, _ = reference(right, "relu1_1")
    # Apart from the column at the seam, whose 3x3 window sees one pixel of the other side.
    assert (found.second - wanted).norm() < 0.02 * (other - wanted).norm() + 0.01 * wanted.norm()
