"""The losses of an optimisation bound to one frame at one size: value and gradient.

Whatever the number of terms, styles and regions, each encoder sees the painted picture once per
evaluation, up to the deepest layer that any term needs, and the moments of a layer are computed
once per region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nst_graph.errors import NodeError, UserError
from nst_graph.style import sliced
from nst_graph.style.encoder import Encoder
from nst_graph.style.evaluation import Evaluation
from nst_graph.style.layers import layer_weights
from nst_graph.style.losses import (
    LayerLoss,
    Seen,
    content_loss,
    normalization,
    style_loss,
)
from nst_graph.style.memory import encoder_bytes
from nst_graph.style.pixel_losses import pixel_loss
from nst_graph.style.resize import resize, resize_mask
from nst_graph.style.statistics import region_weights
from nst_graph.style.targets import Wish, frame_of, mask_of, style_statistics
from nst_graph.values import ContentTerm, EncoderChoice, PixelTerm, StyleTerm, Term

Note = Callable[[str], None]
Load = Callable[[EncoderChoice], Encoder]


@dataclass(frozen=True)
class _LayerTerm:
    """One layer's part of a term. ``region`` indexes the weights of that layer's positions."""

    layer: str
    region: int | None
    weight: float
    loss: LayerLoss


@dataclass
class _Pass:
    """What one encoder has to compute: for each term, the parts that look at its layers."""

    encoder: Encoder
    parts: list[tuple[int, _LayerTerm]] = field(default_factory=list)
    regions: dict[tuple[str, int], Tensor] = field(default_factory=dict)

    @property
    def layers(self) -> set[str]:
        return {part.layer for _, part in self.parts}


class Objective:
    """Value and gradient of all ``terms`` for pictures of one ``size`` = (height, width).

    Attributes:
        weights: of the terms; may be changed between evaluations.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        size: tuple[int, int],
        frame: int,
        load: Load,
        *,
        device: str | torch.device = "cpu",
        seed: int = 0,
        note: Note = lambda message: None,
    ) -> None:
        """Compute the targets.

        Args:
            frame: which frame of the content and style pictures is meant (the last one of those
                that have fewer).
            load: gives the encoder for a choice; called once for each.
            seed: of the directions of sliced losses.

        Raises:
            NodeError: a term cannot be evaluated at this size; says why.
        """
        if not terms:
            raise NodeError("there is no loss; link a ContentLoss or a StyleLoss")
        self.size, self.frame = size, frame
        self.weights = [term.weight for term in terms]
        self._device, self._seed, self._note = torch.device(device), seed, note
        self._passes: dict[EncoderChoice, _Pass] = {}
        self._masks: list[Tensor] = []
        self._pixel_losses: list[tuple[int, Callable[[Tensor], Tensor]]] = []
        self._load = load
        with torch.no_grad():
            for index, term in enumerate(terms):
                try:
                    self._bind(index, term)
                except NodeError:
                    raise
                except UserError as error:
                    raise NodeError(str(error)) from error

    @property
    def half_precision(self) -> bool:
        """Whether an encoder computes in less than float32."""
        return any(part.encoder.dtype != torch.float32 for part in self._passes.values())

    @property
    def bytes_per_pixel(self) -> float:
        """An estimate of what one evaluation takes (see :mod:`nst_graph.style.memory`)."""
        return sum(
            encoder_bytes(
                part.encoder.architecture, part.encoder.padding, part.layers, part.encoder.dtype
            )
            for part in self._passes.values()
        )

    def __call__(self, x: Tensor) -> Evaluation:
        """Evaluate at ``x`` float32 [1, 3, H, W]."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            raw = self._raw(x)
            weights = torch.tensor(self.weights, device=x.device, dtype=raw.dtype)
            weighted = weights * raw
            total = weighted.sum()
            (gradient,) = torch.autograd.grad(total * self._gain, x)
        gradient = (gradient / self._gain).contiguous()
        return Evaluation(total.detach(), raw.detach(), weighted.detach(), gradient)

    @property
    def _gain(self) -> float:
        """Keeps fp16 gradients, which are about 1 over the number of pixels, from vanishing."""
        half = any(part.encoder.dtype == torch.float16 for part in self._passes.values())
        return float(self.size[0] * self.size[1]) if half else 1.0

    def _raw(self, x: Tensor) -> Tensor:
        values: list[Tensor | None] = [None] * len(self.weights)

        def add(index: int, value: Tensor) -> None:
            known = values[index]
            values[index] = value if known is None else known + value

        for index, loss in self._pixel_losses:
            add(index, loss(x))
        for part in self._passes.values():
            if not part.parts:
                continue
            features = part.encoder(x, part.layers)
            seen: dict[tuple[str, int | None], Seen] = {}
            for index, term in part.parts:
                place = (term.layer, term.region)
                if place not in seen:
                    weights = None
                    if term.region is not None:
                        weights = part.regions[(term.layer, term.region)]
                    seen[place] = Seen(features[term.layer], weights)
                add(index, term.weight * term.loss(seen[place]))
        zero = x.sum() * 0.0
        return torch.stack([zero if value is None else value.float() for value in values])

    # -- binding ---------------------------------------------------------------------------

    def _bind(self, index: int, term: Term) -> None:
        if isinstance(term, PixelTerm):
            self._pixel_losses.append((index, pixel_loss(term, self._reference(term))))
        elif isinstance(term, ContentTerm):
            self._bind_content(index, term)
        else:
            self._bind_style(index, term)

    def _reference(self, term: PixelTerm) -> Tensor | None:
        if term.reference is None:
            return None
        picture = frame_of(term.reference, self.frame).to(self._device)
        return picture if term.kind == "histogram" else resize(picture, self.size)

    def _pass(self, choice: EncoderChoice) -> _Pass:
        if choice not in self._passes:
            self._passes[choice] = _Pass(self._load(choice))
        return self._passes[choice]

    def _bind_content(self, index: int, term: ContentTerm) -> None:
        part = self._pass(term.features.encoder)
        layers = self._canonical(part.encoder, term.layers)
        self._refuse_small(part.encoder, layers)
        original = term.features.image.shape[1:3]
        ratio = (original[0] * self.size[1]) / (original[1] * self.size[0])
        if not 0.97 < ratio < 1.03:
            self._note(
                f"the content picture ({original[1]} x {original[0]}) is stretched to the painted "
                f"size {self.size[1]} x {self.size[0]}"
            )
        picture = resize(frame_of(term.features.image, self.frame).to(self._device), self.size)
        features = part.encoder(picture, layers)
        mask = self._resized_mask(term.mask)
        for layer in layers:
            weights = None if mask is None else _layer_mask(mask, features[layer], part, layer)
            loss = content_loss(term.metric, Seen(features[layer], weights))
            part.parts.append((index, _LayerTerm(layer, None, 1 / len(layers), loss)))

    def _bind_style(self, index: int, term: StyleTerm) -> None:
        gram = term.target
        part = self._pass(_encoder_of(term))
        encoder = part.encoder
        layers = self._canonical(encoder, gram.layers)
        self._refuse_small(encoder, layers)
        name, scheme = normalization(term.normalization, term.kind)
        channels = [encoder.channels(layer) for layer in layers]
        weights = layer_weights(term.layer_weights, layers, channels, scheme.layer_weights)
        lines: dict[str, sliced.Directions] = {}
        wish = Wish(calibrated=scheme.calibrated)
        if term.kind in ("sliced", "histogram"):
            seed = self._seed if term.kind == "sliced" else None
            for layer in layers:
                own = encoder.calibration(layer) if scheme.calibrated else None
                found = sliced.directions(encoder.channels(layer), own, seed)
                lines[layer] = sliced.Directions(
                    found.vectors.to(self._device), found.offset.to(self._device)
                )
            wish = Wish(lines, scheme.calibrated, f"{term.kind} {seed}")
        used = [layer for layer, weight in zip(layers, weights, strict=True) if weight]
        if not used:
            raise NodeError("layer_weights is 0 for every layer; give at least one a weight")
        targets = style_statistics(gram, used, encoder, self.size, self.frame, wish, self._note)
        region = self._region(term.region)
        for layer, weight in zip(layers, weights, strict=True):
            if layer not in targets or not self._visible(part, layer, region):
                continue
            loss = style_loss(
                term.kind,
                name,
                targets[layer],
                encoder.calibration(layer),
                lines.get(layer) or sliced.Directions(torch.empty(0, 0), torch.empty(0)),
            )
            part.parts.append((index, _LayerTerm(layer, region, weight, loss)))
        if not any(i == index for i, _ in part.parts):
            raise NodeError(
                "the region of this style is too small for all of its layers; paint a larger "
                "mask, or raise size"
            )

    def _canonical(self, encoder: Encoder, layers: Sequence[str]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for layer in layers:
            name, remark = encoder.canonical(layer)
            if remark:
                self._note(remark)
            names[name] = None
        if not names:
            raise NodeError("a loss has no layers; name at least one, such as relu4_2")
        return tuple(names)

    def _refuse_small(self, encoder: Encoder, layers: Sequence[str]) -> None:
        side = encoder.min_side(layers)
        if min(self.size) < side:
            deepest = max(layers, key=encoder.layers.index)
            raise NodeError(
                f"a picture of {self.size[1]} x {self.size[0]} px is too small for {deepest} of "
                f"{encoder.name}, which needs {side} px a side; raise size or leave out deep layers"
            )

    def _resized_mask(self, mask: Tensor | None) -> Tensor | None:
        if mask is None:
            return None
        return resize_mask(mask_of(mask, self.frame).to(self._device)[None], self.size)[0]

    def _region(self, mask: Tensor | None) -> int | None:
        """The number of a region of the painted picture; the same mask is the same region."""
        if mask is None:
            return None
        for number, known in enumerate(self._masks):
            if known is mask:
                return number
        self._masks.append(mask)
        return len(self._masks) - 1

    def _visible(self, part: _Pass, layer: str, region: int | None) -> bool:
        """Whether ``region`` can be seen at ``layer``; keeps its weights there."""
        if region is None or (layer, region) in part.regions:
            return True
        stride = part.encoder.stride(layer)
        shape = (self.size[0] // stride, self.size[1] // stride)
        mask = self._resized_mask(self._masks[region])
        assert mask is not None
        weights = region_weights(mask, shape, stride)
        if weights is None:
            self._note(f"a region is too small for {layer}, which is left out there")
            return False
        part.regions[(layer, region)] = weights
        return True


def _layer_mask(mask: Tensor, features: Tensor, part: _Pass, layer: str) -> Tensor | None:
    """A content mask's share of each position of ``layer`` [h * w], sum 1."""
    stride, shape = part.encoder.stride(layer), (features.shape[-2], features.shape[-1])
    covered = resize_mask(mask[None, : shape[0] * stride, : shape[1] * stride], shape)[0]
    total = covered.sum()
    if not total > 0:
        raise NodeError(
            "the mask of a content loss is empty (0 everywhere); paint white what shall stay, "
            "or unlink the mask"
        )
    return (covered / total).flatten()


def _encoder_of(term: StyleTerm) -> EncoderChoice:
    choices = {source.features.encoder for source in term.target.sources}
    if len(choices) != 1:
        names = ", ".join(sorted(choice.name for choice in choices)) or "none"
        raise NodeError(
            f"the pictures of one style must be seen by one encoder with the same settings "
            f"(found: {names}); make a StyleLoss for each encoder instead"
        )
    return choices.pop()
