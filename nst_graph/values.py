"""What travels on the edges of a graph.

``IMAGE`` is a float32 tensor [B, H, W, C] in 0..1 (C = 3, sRGB), ``MASK`` a float32 tensor
[B, H, W] in 0..1. Everything else is a *recipe*: it says which pictures, which encoder and which
layers, and is evaluated when - and at the size at which - an optimisation needs it. A recipe is
small, is compared by value, and can be evaluated again at every scale of a pyramid. Tensors in it
are shared with other nodes and are never modified.

Socket types: ``IMAGE MASK VGG_FEATURES GRAM NST_LOSS NST_HISTORY``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu4_2",)


@dataclass(frozen=True)
class EncoderChoice:
    """Which network looks at a picture. ``auto`` means what the weights were made with.

    ``weights`` is the digest of the canonical tensors, so that a result never outlives a change
    of the file behind ``name``.
    """

    name: str = "compact"
    weights: str = ""
    pooling: str = "auto"
    padding: str = "auto"
    transform: str = "auto"


@dataclass(frozen=True, eq=False)
class Features:
    """VGG_FEATURES: the activations of ``layers`` for ``image`` [B, H, W, 3], not yet computed."""

    image: Tensor
    encoder: EncoderChoice
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class StyleSource:
    """One picture's share in a style: its weight in the mixture, its region and its treatment.

    ``mask`` [B, H, W] limits the statistics to a region of the style picture (1 = counts).
    ``scale`` resizes the style picture relative to the picture being painted (> 1: larger
    strokes). ``augment`` adds rotated or mirrored copies to the statistics.
    """

    features: Features
    weight: float = 1.0
    mask: Tensor | None = None
    scale: float = 1.0
    augment: str = "none"


@dataclass(frozen=True, eq=False)
class Gram:
    """GRAM: statistics of ``layers`` (raw second moment, mean; others on demand) of a style.

    ``blend`` says how several sources mix: ``moments`` averages raw moments, ``barycentre`` is
    the Wasserstein barycentre. ``layer_sources`` (layer -> indices into ``sources``) lets single
    layers follow only some of the sources (coarse layers from A, fine layers from B).
    """

    sources: tuple[StyleSource, ...]
    layers: tuple[str, ...]
    blend: str = "moments"
    equalise: bool = False
    layer_sources: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, eq=False)
class ContentTerm:
    """Keep the activations of ``layers`` close to those of ``features`` (Gatys et al., eq. 1)."""

    features: Features
    layers: tuple[str, ...]
    weight: float = 1.0
    metric: str = "relative"
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class StyleTerm:
    """Bring the statistics of the painted picture to those of ``target`` (Gatys et al., eq. 5).

    ``region`` [B, H, W] limits the term to a region of the painted picture.
    """

    target: Gram
    weight: float = 1.0
    kind: str = "gram"
    layer_weights: str = "auto"
    normalization: str = "auto"
    region: Tensor | None = None


@dataclass(frozen=True, eq=False)
class PixelTerm:
    """A loss on the pixels themselves: total variation, histogram or Laplacian."""

    name: str
    weight: float = 1.0
    kind: str = ""
    options: tuple[tuple[str, float | str], ...] = ()
    reference: Tensor | None = None


Term = ContentTerm | StyleTerm | PixelTerm


@dataclass(frozen=True, eq=False)
class Loss:
    """NST_LOSS: a list of terms; a combined loss plugs into one socket."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class HistoryPoint:
    """One recorded step of an optimisation. Losses are weighted values, in the order of terms."""

    step: int
    scale: int
    seconds: float
    total: float
    losses: tuple[float, ...]


@dataclass(frozen=True)
class History:
    """NST_HISTORY: the course of the losses; ``terms`` names the entries of ``losses``."""

    terms: tuple[str, ...]
    points: tuple[HistoryPoint, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Items:
    """An output declared with ``OUTPUT_IS_LIST``: downstream nodes run once per item."""

    items: tuple[object, ...]


RECIPES = (
    Items,
    EncoderChoice,
    Features,
    StyleSource,
    Gram,
    ContentTerm,
    StyleTerm,
    PixelTerm,
    Loss,
    HistoryPoint,
    History,
)
"""The dataclasses the store knows how to write and read."""
