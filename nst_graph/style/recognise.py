"""Which VGG-shaped network a foreign state dict holds, judged by names and shapes. No torch."""

from __future__ import annotations

import re

from nst_graph.errors import UserError
from nst_graph.style.architecture import MAX_BLOCKS, MAX_CONVS, TRANSFORMS, Architecture
from nst_graph.style.weights_format import Shapes, expected

_BY_INDEX = re.compile(r"((?:module\.)?(?:features\.)?)([0-9]{1,3})\.weight")
_BY_NAME = re.compile(r"((?:module\.)?(?:features\.)?conv)([1-9])_([0-9]{1,2})\.weight")
_CAFFE_FILES = ("d01eb7cb", "00b39a1b", "caffe", "vgg_conv", "normalised", "normalized")
"""Parts of the names of files whose tensors are named as torchvision's but come from Caffe."""


def recognise(
    shapes: Shapes, file_name: str, declared_input: str = ""
) -> tuple[Architecture, dict[str, str]]:
    """The architecture, and the file's own name for every canonical tensor name.

    Understood are torchvision's ``features.N.weight`` (also without the prefix, and as
    neural-style-pt writes them) and Caffe's ``conv1_1.weight``. Other tensors, such as the
    classifier, are ignored. The input transform follows ``declared_input`` if that is one of
    ours, else the family: Caffe for ``convB_I`` names and for files that are known to be or
    called so, torchvision otherwise.

    Raises:
        UserError: no stack of 3x3 convolutions in blocks of constant width.
    """
    shown = repr(file_name)
    caffe = any(part in file_name.lower() for part in _CAFFE_FILES)
    convs = [name for name, shape in shapes.items() if len(shape) == 4]
    named = {(int(m[2]), int(m[3])): name for name in convs if (m := _BY_NAME.fullmatch(name))}
    if named:
        caffe, places = True, named
    else:
        if any(name.endswith(".running_mean") for name in shapes):
            raise UserError(
                f"{shown} has batch normalisation; fold it into the convolutions first, "
                "or use weights without it"
            )
        places = _places({int(m[2]): n for n in convs if (m := _BY_INDEX.fullmatch(n))}, shown)
    if not places:
        some = ", ".join(ascii(name[:40]) for name in list(shapes)[:3]) or "no tensors"
        raise UserError(
            f"{shown} holds no VGG-shaped network: expected names such as features.0.weight or "
            f"conv1_1.weight, found {some}"
        )
    counts = [sum(b == block for b, _ in places) for block in range(1, max(places)[0] + 1)]
    if set(places) != {(b, i) for b, n in enumerate(counts, 1) for i in range(1, n + 1)} or (
        len(counts) > MAX_BLOCKS or max(counts) > MAX_CONVS
    ):
        raise UserError(f"{shown} is not VGG-shaped: some of its convolutions are missing")
    architecture = Architecture(
        tuple(shapes[places[block, 1]][0] for block in range(1, len(counts) + 1)),
        tuple(counts),
        input=declared_input if declared_input in TRANSFORMS else ("caffe" if caffe else "torch"),
    )
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
    return architecture, sources


def _places(by_index: dict[int, str], shown: str) -> dict[tuple[int, int], str]:
    """(block, convolution) of each tensor from its index: conv, ReLU, conv, ReLU, pool, conv …"""
    places: dict[tuple[int, int], str] = {}
    block, i, before = 1, 0, -2
    for index, name in sorted(by_index.items()):
        if index - before == 3 and places:
            block, i = block + 1, 0
        elif index - before != 2:
            raise UserError(
                f"{shown} is not VGG-shaped: {name} is not where a convolution would be"
            )
        i, before = i + 1, index
        places[block, i] = name
    return places
