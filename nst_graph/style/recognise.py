"""Which VGG-shaped network a foreign state dict holds, judged by names and shapes. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nst_graph.errors import UserError
from nst_graph.style.architecture import TRANSFORMS, Architecture
from nst_graph.style.weights_format import Shapes, expected

_BY_INDEX = re.compile(r"(?:module\.)?(?:features\.)?([0-9]{1,3})\.weight")
_BY_NAME = re.compile(r"(?:module\.)?(?:features\.)?conv([1-9])(?:_([0-9]{1,2})|([0-9]))\.weight")
_FRONT = re.compile(r"(?:module\.)?(?:features\.)?(?:conv)?0\.weight")
_CAFFE_FILES = ("d01eb7cb", "00b39a1b", "caffe", "vgg_conv", "normalised", "normalized")
"""Parts of the names of files whose tensors are named as torchvision's but come from Caffe."""


@dataclass(frozen=True)
class Recognised:
    """``sources``: the file's own name for every canonical tensor name. ``front``: the 1x1
    convolution before the first block, to be merged into it, or None."""

    architecture: Architecture
    sources: dict[str, str]
    front: str | None


def recognise(shapes: Shapes, file_name: str, declared_input: str = "") -> Recognised:
    """What a file with tensors of these ``shapes`` holds.

    Understood are torchvision's ``features.N.weight`` (also without the prefix, and as
    neural-style-pt writes them), Caffe's ``conv1_1.weight``, and either of them after a 1x1
    convolution that takes RGB in 0..1, as in the ``vgg_normalised`` of Huang & Belongie (2017);
    those nets pad by reflection. Other tensors, such as the classifier, are ignored. The input
    transform follows ``declared_input`` if that is one of ours, else the family: Caffe for
    ``convB_I`` names and for files known by their names, else torchvision.

    Raises:
        UserError: no stack of 3x3 convolutions in blocks of constant width.
    """
    shown = repr(file_name)
    convs = {name: shape for name, shape in shapes.items() if len(shape) == 4}
    front = next((n for n, s in convs.items() if _FRONT.fullmatch(n) and s == (3, 3, 1, 1)), None)
    places = {
        (int(match[1]), int(match[2] or match[3])): name
        for name in convs
        if (match := _BY_NAME.fullmatch(name))
    }
    by_name = bool(places)
    if not by_name:
        if any(name.endswith(".running_mean") for name in shapes):
            raise UserError(
                f"{shown} has batch normalisation; fold it into the convolutions first, "
                "or use weights without it"
            )
        by_index = {int(m[1]): n for n in convs if n != front and (m := _BY_INDEX.fullmatch(n))}
        places = _places(by_index, front is not None, shown)
    if not places:
        some = ", ".join(ascii(name[:40]) for name in list(shapes)[:3]) or "no tensors"
        raise UserError(
            f"{shown} holds no VGG-shaped network: expected names such as features.0.weight or "
            f"conv1_1.weight, found {some}"
        )
    counts = _counts(places, shown)
    caffe = by_name or any(part in file_name.lower() for part in _CAFFE_FILES)
    family = "raw01" if front else "caffe" if caffe else "torch"
    architecture = Architecture(
        tuple(shapes[places[block, 1]][0] for block in range(1, len(counts) + 1)),
        counts,
        padding="reflect" if front else "zeros",
        input=declared_input if declared_input in TRANSFORMS and not front else family,
    )
    if not architecture.is_plausible:
        raise UserError(f"{shown} is not VGG-shaped: its layers are too wide or too many")
    sources = {}
    for (block, i), name in places.items():
        sources[f"conv{block}_{i}.weight"] = name
        sources[f"conv{block}_{i}.bias"] = name.removesuffix("weight") + "bias"
    for canonical, shape in expected(architecture, ()).items():
        given = shapes.get(sources[canonical])
        if given != shape:
            raise UserError(
                f"{shown} is not VGG-shaped: {sources[canonical]} should be {list(shape)} "
                f"but is {list(given) if given else 'missing'}"
            )
    return Recognised(architecture, sources, front)


def _places(by_index: dict[int, str], padded: bool, shown: str) -> dict[tuple[int, int], str]:
    """(block, convolution) of each tensor from its index: conv, ReLU, conv, ReLU, pool, conv …

    ``padded``: a padding layer precedes each convolution, and a 1x1 convolution has index 0.
    """
    places: dict[tuple[int, int], str] = {}
    within, before = (3, -1) if padded else (2, -2)
    block, i = 1, 0
    for index, name in sorted(by_index.items()):
        if index - before == within + 1 and places:
            block, i = block + 1, 0
        elif index - before != within:
            raise UserError(
                f"{shown} is not VGG-shaped: {name} is not where a convolution would be"
            )
        i, before = i + 1, index
        places[block, i] = name
    return places


def _counts(places: dict[tuple[int, int], str], shown: str) -> tuple[int, ...]:
    """Convolutions per block."""
    blocks = range(1, max(places)[0] + 1)
    counts = tuple(sum(b == block for b, _ in places) for block in blocks)
    complete = {(b, i) for b, n in enumerate(counts, 1) for i in range(1, n + 1)}
    if set(places) != complete:
        raise UserError(f"{shown} is not VGG-shaped: some of its convolutions are missing")
    return counts
