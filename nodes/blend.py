"""Several styles in one: NSTBlendStyles, NSTInterpolateStyles, NSTMixLayers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nst_graph.errors import NodeError
from nst_graph.values import Gram, StyleSource

MOST_STYLES = 8
BLENDS = ["moments", "barycentre"]
BLEND_INPUT: tuple[Any, ...] = (
    BLENDS,
    {
        "default": "moments",
        "tooltip": "moments: as if the styles hung side by side in one picture. barycentre: the "
        "style that lies between them (Wasserstein), cleaner when they differ much; slower.",
    },
)


class NSTBlendStyles:
    DESCRIPTION = (
        "Mixes up to eight styles into one, each with its weight; the weights are shares of "
        "their sum. A layer that only some of the styles have follows those."
    )
    CATEGORY = "nst/style"
    FUNCTION = "blend_styles"
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    OUTPUT_TOOLTIPS = ("The mixed style, for StyleLoss.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        first = _style_inputs(1)
        more = [_style_inputs(number) for number in range(2, MOST_STYLES + 1)]
        return {
            "required": {
                **first,
                "blend": BLEND_INPUT,
                "equalise": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Divide each weight by the strength of its style, layer by "
                        "layer, so that no style dominates because its picture has more contrast.",
                    },
                ),
                "allow_negative": (
                    "BOOLEAN",
                    {
                        "default": False,
                        "tooltip": "Let a weight below 0 subtract a style (moments only).",
                    },
                ),
            },
            "optional": {name: spec for style in more for name, spec in style.items()},
        }

    def blend_styles(
        self,
        gram_1: Gram,
        weight_1: float,
        blend: str,
        equalise: bool,
        allow_negative: bool,
        **others: Any,
    ) -> tuple[Gram]:
        named = {"gram_1": gram_1, "weight_1": weight_1, **others}
        parts: list[tuple[str, Gram, float]] = []
        for number in range(1, MOST_STYLES + 1):
            gram = named.get(f"gram_{number}")
            if isinstance(gram, Gram):
                parts.append((f"gram_{number}", gram, float(named.get(f"weight_{number}", 1.0))))
        negative = [name for name, _, weight in parts if weight < 0]
        if negative and not allow_negative:
            raise NodeError(
                f"the weight of {', '.join(negative)} is below 0; turn on allow_negative to "
                "subtract a style, or give it a weight of 0 or more"
            )
        if negative and blend == "barycentre":
            raise NodeError(
                "a barycentre has no negative weights; use blend 'moments' to subtract a style"
            )
        return (blended(parts, blend, equalise),)


def _style_inputs(number: int) -> dict[str, Any]:
    weight = {
        "default": 1.0,
        "min": -1000.0,
        "max": 1000.0,
        "step": 0.05,
        "round": False,
        "tooltip": f"Share of gram_{number}; 0 leaves it out.",
    }
    return {
        f"gram_{number}": ("GRAM", {"tooltip": "A style."}),
        f"weight_{number}": ("FLOAT", weight),
    }


class NSTInterpolateStyles:
    DESCRIPTION = (
        "A style on the way from one to another: 0 is the first, 1 the second, 0.5 half way. "
        "Sweep position for the whole way."
    )
    CATEGORY = "nst/style"
    FUNCTION = "interpolate"
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    OUTPUT_TOOLTIPS = ("The style in between, for StyleLoss.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        position = {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.05, "round": False}
        return {
            "required": {
                "gram_from": ("GRAM", {"tooltip": "The style at position 0."}),
                "gram_to": ("GRAM", {"tooltip": "The style at position 1."}),
                "position": ("FLOAT", {**position, "tooltip": "How far on the way, 0 to 1."}),
                "blend": (BLENDS, {**BLEND_INPUT[1], "default": "barycentre"}),
            }
        }

    def interpolate(
        self, gram_from: Gram, gram_to: Gram, position: float, blend: str
    ) -> tuple[Gram]:
        parts = [("gram_from", gram_from, 1 - position), ("gram_to", gram_to, position)]
        return (blended(parts, blend),)


class NSTMixLayers:
    DESCRIPTION = (
        "Large strokes of one style, fine texture of another: the deep layers of the first, the "
        "shallow ones of the second."
    )
    CATEGORY = "nst/style"
    FUNCTION = "mix"
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    OUTPUT_TOOLTIPS = ("The mixed style, for StyleLoss.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        block = {
            "default": 3,
            "min": 2,
            "max": 5,
            "tooltip": "The first block of layers that is coarse: 3 takes relu3_1 and deeper from "
            "coarse, relu1_1 and relu2_1 from fine.",
        }
        return {
            "required": {
                "coarse": ("GRAM", {"tooltip": "The style of the large shapes and strokes."}),
                "fine": ("GRAM", {"tooltip": "The style of colour and fine texture."}),
                "first_coarse_block": ("INT", block),
            }
        }

    def mix(self, coarse: Gram, fine: Gram, first_coarse_block: int) -> tuple[Gram]:
        deep = tuple(x for x in coarse.layers if block_of(x) >= first_coarse_block)
        shallow = tuple(x for x in fine.layers if block_of(x) < first_coarse_block)
        for name, gram, kept in (("coarse", coarse, deep), ("fine", fine, shallow)):
            if not kept:
                raise NodeError(
                    f"{name} has no layer on its side of block {first_coarse_block} "
                    f"(it has {', '.join(gram.layers)}); change first_coarse_block or its layers"
                )
        parts = [
            ("coarse", replace(coarse, layers=deep), 1.0),
            ("fine", replace(fine, layers=shallow), 1.0),
        ]
        return (blended(parts, "moments"),)


def block_of(layer: str) -> int:
    """2 for relu2_1, conv2_2 or pool2."""
    match = re.match(r"[a-z]+(\d+)", layer)
    assert match is not None, layer
    return int(match[1])


def blended(parts: Sequence[tuple[str, Gram, float]], blend: str, equalise: bool = False) -> Gram:
    """One style of all ``parts`` (input name, style, weight); those of weight 0 are left out.

    Blends of blends are written out, layer by layer: a picture's share is its share within its
    blend times the weight of that blend.

    Raises:
        NodeError: all weights are 0, different encoders, or a blend that cannot be written out.
    """
    parts = [part for part in parts if part[2]]
    if not parts:
        raise NodeError("the weights of all styles are 0; give at least one a weight")
    first_name, first, _ = parts[0]
    for name, gram, _ in parts[1:]:
        if _encoder(gram) != _encoder(first):
            raise NodeError(
                f"{first_name} and {name} are seen by different encoders ({_encoder(first)[0]} "
                f"and {_encoder(gram)[0]}, or other settings of it); use the same VGGFeatures "
                "settings for both"
            )
    names = dict.fromkeys(layer for _, gram, _ in parts for layer in gram.layers)
    layers = tuple(sorted(names, key=_depth))
    inner = _rule_of_one_blend(parts, layers)
    if inner is not None:
        blend, equalise = inner
    sources: list[StyleSource] = []
    members: list[tuple[str, tuple[int, ...]]] = []
    for layer in layers:
        indices = []
        having = [part for part in parts if layer in part[1].layers]
        for name, gram, weight in having:
            own = _members(gram, layer)
            if len(own) > 1 and inner is None:
                _refuse_nested(name, gram, blend, equalise)
            total = 1.0 if len(having) == 1 else sum(abs(source.weight) for source in own)
            if not total:
                raise NodeError(f"the weights of {name} are all 0; give one a weight")
            for source in own:
                share = weight * (source.weight / total if len(own) > 1 else 1.0)
                indices.append(_index(sources, replace(source, weight=share)))
        members.append((layer, tuple(indices)))
    everywhere = all(set(found) == set(range(len(sources))) for _, found in members)
    return Gram(tuple(sources), layers, blend, equalise, () if everywhere else tuple(members))


def _encoder(gram: Gram) -> tuple[object, ...]:
    choice = gram.sources[0].features.encoder
    return (choice.name, choice.weights, choice.pooling, choice.padding, choice.transform)


def _depth(layer: str) -> tuple[int, int, str]:
    match = re.match(r"[a-z]+(\d+)(?:_(\d+))?", layer)
    assert match is not None, layer
    return int(match[1]), int(match[2] or 99), layer


def _members(gram: Gram, layer: str) -> list[StyleSource]:
    indices = dict(gram.layer_sources).get(layer, tuple(range(len(gram.sources))))
    return [gram.sources[index] for index in indices]


def _rule_of_one_blend(
    parts: Sequence[tuple[str, Gram, float]], layers: Sequence[str]
) -> tuple[str, bool] | None:
    """The rule of the blends among ``parts``, if they are mixed by layers and never with others.

    Raises:
        NodeError: there are two such rules.
    """
    shared = [layer for layer in layers if sum(layer in part[1].layers for part in parts) > 1]
    if shared:
        return None
    rules = {
        (gram.blend, gram.equalise): name
        for name, gram, _ in parts
        if any(len(_members(gram, layer)) > 1 for layer in gram.layers)
    }
    if len(rules) > 1:
        raise NodeError(
            f"{' and '.join(rules.values())} are blends by different rules (blend, equalise), "
            "which one style cannot hold; blend both the same way, or make two StyleLosses"
        )
    return next(iter(rules), None)


def _refuse_nested(name: str, gram: Gram, blend: str, equalise: bool) -> None:
    """Only moments of moments, not equalised, are the moments of all pictures."""
    if gram.blend == blend == "moments" and not gram.equalise and not equalise:
        return
    raise NodeError(
        f"{name} is a blend itself, and only blends by moments without equalise can be blended "
        "again; link its styles here one by one"
    )


def _index(sources: list[StyleSource], wanted: StyleSource) -> int:
    """Where ``wanted`` is in ``sources``, appended if it is new."""
    for index, known in enumerate(sources):
        if _same(known, wanted):
            return index
    sources.append(wanted)
    return len(sources) - 1


def _same(a: StyleSource, b: StyleSource) -> bool:
    return (
        a.features.image is b.features.image
        and a.mask is b.mask
        and (a.weight, a.scale, a.augment) == (b.weight, b.scale, b.augment)
    )
