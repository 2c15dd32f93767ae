"""What a style asks for: statistics of its pictures at the size that goes with a painted size.

The original pictures are resized anew for every size (never the painted one's previous target).
A style picture's long side is the painted picture's times its ``scale``, as in all programs of
the field; it is not enlarged beyond the original unless the encoder could not see it otherwise.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style import sliced
from nst_graph.style.bures import barycentre
from nst_graph.style.encoder import Encoder
from nst_graph.style.losses import Seen, Statistic
from nst_graph.style.resize import resize, resize_mask
from nst_graph.style.statistics import Moments, calibrated, region_weights
from nst_graph.values import Gram, StyleSource

AUGMENTATIONS: Mapping[str, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "mirror": ((0, False), (0, True)),
    "rotate": ((0, False), (1, False), (2, False), (3, False)),
    "all": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}
"""Copies of a style picture whose statistics are averaged: quarter turns, mirrored or not."""

BLENDS = ("moments", "barycentre")

Note = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What a term wants to know about the layers: moments, or quantiles along directions."""

    lines: Mapping[str, sliced.Directions] | None = None
    calibrated: bool = True
    key: str = "moments"


def frame_of(image: Tensor, index: int) -> Tensor:
    """Frame ``index`` of an IMAGE [B, H, W, 3] (its last one if it has fewer) as [1, 3, H, W].

    A copy: hosts hand out tensors that must not be written to nor take part in a gradient.
    """
    frame = image[min(index, len(image) - 1)].movedim(-1, 0)[None, :3]
    return frame.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def mask_of(mask: Tensor, index: int) -> Tensor:
    """Frame ``index`` of a MASK [B, H, W], or its last one, as [H, W]."""
    return mask[min(index, len(mask) - 1)].float().clamp_min(0)


def style_size(
    original: tuple[int, int], painted: tuple[int, int], scale: float, smallest: int
) -> tuple[int, int]:
    """(height, width) of a style picture beside a painted one; see the module's docstring."""
    long = min(max(painted) * scale, max(original))
    factor = max(long / max(original), smallest / min(original))
    return max(smallest, round(original[0] * factor)), max(smallest, round(original[1] * factor))


def style_statistics(
    style: Gram,
    layers: Sequence[str],
    encoder: Encoder,
    painted: tuple[int, int],
    frame: int,
    wish: Wish,
    note: Note,
) -> dict[str, Statistic]:
    """The blended statistics of ``layers`` (canonical names) for frame ``frame`` of the styles.

    A layer at which the region of every source vanishes is left out, with a note.

    Raises:
        NodeError: no source, weights that cancel, an empty region, an unknown blend.
    """
    if not style.sources:
        raise NodeError("this style has no picture")
    if style.blend not in BLENDS:
        raise NodeError(f"blend {style.blend[:40]!r} is not one of {', '.join(BLENDS)}")
    found = [_of_source(source, layers, encoder, painted, frame, wish) for source in style.sources]
    chosen = dict(style.layer_sources)
    result: dict[str, Statistic] = {}
    for layer in layers:
        members = chosen.get(layer, tuple(range(len(found))))
        parts = [(style.sources[i].weight, found[i][layer]) for i in members if layer in found[i]]
        if not parts:
            note(f"the region of the style is too small for {layer}, which is left out there")
            continue
        result[layer] = _blended(parts, style.blend, style.equalise, layer)
    return result


def _blended(
    parts: Sequence[tuple[float, Statistic]], blend: str, equalise: bool, layer: str
) -> Statistic:
    if len(parts) == 1:
        return parts[0][1]
    shares = [weight / _size(part) if equalise else weight for weight, part in parts]
    total = sum(map(abs, shares))
    if total == 0:
        raise NodeError(f"the weights of the styles are all 0 for {layer}; give one a weight")
    shares = [share / total for share in shares]
    moments = [(b, p) for b, (_, p) in zip(shares, parts, strict=True) if isinstance(p, Moments)]
    if not moments:
        return sliced.blended(
            [(b, p) for b, (_, p) in zip(shares, parts, strict=True) if not isinstance(p, Moments)]
        )
    if blend == "barycentre":
        if min(shares) < 0:
            raise NodeError("a barycentre has no negative weights; use blend 'moments'")
        return barycentre(moments)
    return Moments(
        torch.stack([b * part.second for b, part in moments]).sum(0),
        torch.stack([b * part.mean for b, part in moments]).sum(0),
        max(part.count for _, part in moments),
    )


def _size(part: Statistic) -> float:
    energy = part.second.norm() if isinstance(part, Moments) else part.values.square().mean()
    return max(float(energy), 1e-12)


def _of_source(
    source: StyleSource,
    layers: Sequence[str],
    encoder: Encoder,
    painted: tuple[int, int],
    frame: int,
    wish: Wish,
) -> dict[str, Statistic]:
    image, mask = source.features.image, source.mask
    smallest = encoder.min_side(layers)
    size = style_size((image.shape[1], image.shape[2]), painted, source.scale, smallest)
    key = (
        id(image),
        None if mask is None else id(mask),
        min(frame, len(image) - 1),
        None if mask is None else min(frame, len(mask) - 1),
        size,
        source.augment,
        encoder.weights,
        encoder.pooling,
        encoder.padding,
        encoder.transform,
        str(encoder.device),
        encoder.dtype,
        tuple(layers),
        wish.calibrated,
        wish.key,
        torch.get_num_threads(),
    )
    known = _cache.get(key, image, mask)
    if known is None:
        known = _computed(source, layers, encoder, size, frame, wish)
        _cache.put(key, image, mask, known)
    return known


@torch.no_grad()
def _computed(
    source: StyleSource,
    layers: Sequence[str],
    encoder: Encoder,
    size: tuple[int, int],
    frame: int,
    wish: Wish,
) -> dict[str, Statistic]:
    if source.augment not in AUGMENTATIONS:
        raise NodeError(f"augment {source.augment[:40]!r} is not one of {', '.join(AUGMENTATIONS)}")
    picture = resize(frame_of(source.features.image, frame).to(encoder.device), size)
    mask = None
    if source.mask is not None:
        mask = resize_mask(mask_of(source.mask, frame).to(encoder.device)[None], size)[0]
    copies = AUGMENTATIONS[source.augment]
    parts: dict[str, list[tuple[float, Statistic]]] = {}
    for turns, mirrored in copies:
        seen = encoder(_turned(picture, turns, mirrored), layers)
        region = None if mask is None else _turned(mask, turns, mirrored)
        for layer in layers:
            features, weights = seen.pop(layer), None
            if region is not None:
                shape = (features.shape[-2], features.shape[-1])
                weights = region_weights(region, shape, encoder.stride(layer))
                if weights is None:
                    continue
            statistic = _summary(Seen(features, weights), layer, encoder, wish)
            parts.setdefault(layer, []).append((1.0, statistic))
    return {layer: _blended(found, "moments", False, layer) for layer, found in parts.items()}


def _summary(seen: Seen, layer: str, encoder: Encoder, wish: Wish) -> Statistic:
    if wish.lines is not None:
        return sliced.quantiles(wish.lines[layer].along(seen.features), seen.weights)
    return calibrated(seen.moments, encoder.calibration(layer) if wish.calibrated else None)


def _turned(picture: Tensor, turns: int, mirrored: bool) -> Tensor:
    turned = picture.rot90(turns, (-2, -1)) if turns else picture
    return turned.flip(-1) if mirrored else turned


class _Cache:
    """Statistics of the style pictures last used, by picture identity and treatment.

    Pictures are recognised by identity: the store and a ComfyUI server hand out the same tensor
    for the same content. Only the small statistics are kept alive, never a picture.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[object, ...], tuple[object, object, dict[str, Statistic]]]
        self._kept = OrderedDict()

    def get(
        self, key: tuple[object, ...], image: Tensor, mask: Tensor | None
    ) -> dict[str, Statistic] | None:
        image_ref, mask_ref, found = self._kept.get(key, (None, None, None))
        if found is None or image_ref() is not image:  # type: ignore[operator]
            return None
        if mask is not None and mask_ref() is not mask:  # type: ignore[operator]
            return None
        return found

    def put(
        self,
        key: tuple[object, ...],
        image: Tensor,
        mask: Tensor | None,
        found: dict[str, Statistic],
    ) -> None:
        mask_ref = None if mask is None else weakref.ref(mask)
        self._kept[key] = (weakref.ref(image), mask_ref, found)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)


_cache = _Cache(32)
