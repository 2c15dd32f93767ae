"""What a VGG-shaped encoder is made of, and the names of its taps. Needs no torch.

Every encoder is a stack of blocks of 3x3 convolutions and ReLUs with a 2x2 pooling after each
block (Simonyan & Zisserman 2014). ``convB_I``, ``reluB_I`` and ``poolB`` name the outputs that can
be tapped; VGG-19's names are the common language, so that a graph runs on every encoder.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from nst_graph.errors import UserError

POOLINGS = ("max", "average", "l2", "average-scaled", "l2-scaled", "blur")
"""``average``: mean of 2x2, the original paper's choice; ``l2``: root of the sum of squares;
``-scaled``: times 2 and times 0.78, which keeps the activations about as large as under ``max``
(the factors of crowsonkb/style-transfer-pytorch); ``blur``: [1, 3, 3, 1] / 8 in both directions
with stride 2, reflected at the border (Zhang 2019)."""

PADDINGS = ("zeros", "replicate", "reflect", "replicate-first")
"""``replicate-first``: replicate for the first convolution and zeros for all others, as
crowsonkb/style-transfer-pytorch does."""

TRANSFORMS = ("torch", "caffe", "caffe256", "raw01", "torch255", "raw255")
"""What the network sees of a picture x in 0..1 (RGB):

=========  ======================================================================================
torch      (x - [.485, .456, .406]) / [.229, .224, .225]                            (torchvision)
caffe      BGR, 255 x - [103.939, 116.779, 123.68]                              (the authors' own)
caffe256   the same with 256 x                                    (Torch7: jcjohnson/neural-style)
raw01      x
torch255   255 x - [123.675, 116.28, 103.53]              (gordicaleksa/pytorch-neural-style-...)
raw255     255 x                                                     (ComfyUI-Fast-Style-Transfer)
=========  ======================================================================================
"""

AUTO = "auto"
MAX_BLOCKS, MAX_CONVS, MAX_WIDTH, MAX_WEIGHTS = 8, 16, 4096, 100_000_000
"""Five times VGG-19; a file that declares more is not read, whatever it claims to hold."""


@dataclass(frozen=True)
class Architecture:
    """Block b has ``convs[b]`` convolutions of ``widths[b]`` output channels each.

    ``pooling``, ``padding`` and ``input`` are what the weights were made with.
    """

    widths: tuple[int, ...]
    convs: tuple[int, ...]
    pooling: str = "max"
    padding: str = "zeros"
    input: str = "torch"

    @cached_property
    def is_plausible(self) -> bool:
        """Whether the sizes are within the limits and the options known."""
        return (
            1 <= len(self.widths) == len(self.convs) <= MAX_BLOCKS
            and all(1 <= n <= MAX_WIDTH for n in self.widths)
            and all(1 <= n <= MAX_CONVS for n in self.convs)
            and sum(prod(self.conv_shape(conv)) for conv in self.conv_names) <= MAX_WEIGHTS
            and self.pooling in POOLINGS
            and self.padding in PADDINGS
            and self.input in TRANSFORMS
        )

    @cached_property
    def conv_names(self) -> tuple[str, ...]:
        """``convB_I`` of every convolution, in order."""
        return tuple(
            f"conv{block}_{i}"
            for block, count in enumerate(self.convs, 1)
            for i in range(1, count + 1)
        )

    @cached_property
    def taps(self) -> tuple[str, ...]:
        """Every output that can be asked for, in the order of computation."""
        taps: list[str] = []
        for block, count in enumerate(self.convs, 1):
            for i in range(1, count + 1):
                taps += (f"conv{block}_{i}", f"relu{block}_{i}")
            taps.append(f"pool{block}")
        return tuple(taps)

    def conv_shape(self, name: str) -> tuple[int, int, int, int]:
        """The shape [out, in, 3, 3] of the weight of ``convB_I``."""
        block = _block(name)
        first = name.endswith("_1")
        before = 3 if block == 1 else self.widths[block - 2]
        return (self.widths[block - 1], before if first else self.widths[block - 1], 3, 3)

    def channels(self, tap: str) -> int:
        return self.widths[_block(tap) - 1]

    def stride(self, tap: str) -> int:
        """How many pixels of the picture lie between neighbouring activations."""
        return int(2 ** (_block(tap) - (not tap.startswith("pool"))))

    def min_side(self, taps: Iterable[str], padding: str = "", pooling: str = "") -> int:
        """The smallest side of a picture, in pixels, for which every one of ``taps`` exists."""
        padding, pooling = padding or self.padding, pooling or self.pooling
        deepest = max(taps, key=self.taps.index, default=self.taps[0])
        if deepest.startswith("pool"):
            return self.stride(deepest)
        stride = self.stride(deepest)
        return 2 * stride if padding == "reflect" else stride

    def canonical(self, layer: str, encoder: str = "this encoder") -> tuple[str, str | None]:
        """The tap that ``layer`` means, and a remark if it is not quite what was asked for.

        ``relu4_2``, ``r42``, ``r4_2`` and, for VGG-19 and VGG-16, the index of torchvision's
        ``features`` mean the same. A layer of VGG-19 that this encoder lacks becomes the nearest
        earlier tap of the same kind in the same block.

        Raises:
            UserError: no such layer; names the nearest ones.
        """
        tap = self._spelled_out(layer)
        if tap in self.taps:
            return tap, None
        if tap in VGG19.taps:
            kind, block, wanted = _parts(tap)
            if block <= len(self.convs) and wanted:
                used = f"{kind}{block}_{min(wanted, self.convs[block - 1])}"
                return used, f"{encoder} has no {tap}; {used} is used instead"
            raise UserError(
                f"{encoder} has no {tap}: its last layer is {self.taps[-1]} - "
                "choose an earlier layer or another encoder"
            )
        near = difflib.get_close_matches(tap, self.taps, 3, 0.5) or self.taps[:3]
        raise UserError(f"{encoder} has no layer {layer[:60]!r}; did you mean {', '.join(near)}?")

    def _spelled_out(self, layer: str) -> str:
        text = layer.strip().lower()
        if re.fullmatch(r"[0-9]{1,2}", text):
            if self.convs in (VGG19.convs, VGG16.convs):
                taps = self.taps
                return taps[int(text)] if int(text) < len(taps) else text
            raise UserError(
                f"layer {text!r} is an index into torchvision's VGG-19 or VGG-16; "
                "for other encoders write the name, such as relu4_2"
            )
        match = re.fullmatch(r"(conv|relu|c|r)([0-9])_?([0-9]{1,2})", text)
        if match:
            kind = {"c": "conv", "r": "relu"}.get(match[1], match[1])
            return f"{kind}{match[2]}_{match[3]}"
        match = re.fullmatch(r"p(?:ool)?([0-9])", text)
        return f"pool{match[1]}" if match else text


def _parts(tap: str) -> tuple[str, int, int]:
    kind, _, rest = tap[:4], None, tap[4:]
    block, _, index = rest.partition("_")
    return kind, int(block), int(index or 0)


def _block(tap: str) -> int:
    return _parts(tap)[1]


VGG19 = Architecture((64, 128, 256, 512, 512), (2, 2, 4, 4, 4))
VGG16 = Architecture((64, 128, 256, 512, 512), (2, 2, 3, 3, 3))
