"""ContentLoss: keep what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.values import ContentTerm, Features, Loss

from .features import chosen_layers
from .tensors import as_mask

if TYPE_CHECKING:
    from torch import Tensor

METRICS = ["relative", "mse", "cosine", "gatys"]


def weight_input(default: float, tooltip: str) -> tuple[str, dict[str, Any]]:
    """A weight of a loss. ``round`` is off: a browser would round small weights to its step."""
    options = {"default": default, "min": 0.0, "max": 1e12, "step": 0.01, "round": False}
    return ("FLOAT", {**options, "tooltip": tooltip})


class ContentLoss:
    DESCRIPTION = (
        "Keeps what the content picture shows: the activations of a deep layer stay close to "
        "those of the picture (Gatys, Ecker & Bethge 2016, eq. 1)."
    )
    CATEGORY = "nst/loss"
    FUNCTION = "make"
    RETURN_TYPES = ("NST_LOSS",)
    RETURN_NAMES = ("loss",)
    OUTPUT_TOOLTIPS = ("For Optimize or NSTLossCombine.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "features": ("VGG_FEATURES", {"tooltip": "Of the content picture."}),
                "weight": weight_input(
                    0.05,
                    "How strongly. With the metric relative and a StyleLoss of weight 1: 0.02 is "
                    "free, 0.05 usual, 0.2 close to the picture. May be changed while it runs.",
                ),
            },
            "optional": {
                "layers": (
                    "STRING",
                    {
                        "default": "relu4_2",
                        "tooltip": "Among those of the features; several count equally. Deeper "
                        "layers keep objects, shallow ones keep edges as well.",
                    },
                ),
                "metric": (
                    METRICS,
                    {
                        "default": "relative",
                        "tooltip": "relative: mean squared error over the variance of the "
                        "content's activations, so that a weight fits every encoder. mse: the "
                        "plain mean. cosine: directions only. gatys: half the sum, as in the "
                        "paper.",
                    },
                ),
                "mask": (
                    "MASK",
                    {"tooltip": "Where it matters, and how much (white most, black not at all)."},
                ),
            },
        }

    def make(
        self,
        features: Features,
        weight: float,
        layers: str = "relu4_2",
        metric: str = "relative",
        mask: Tensor | None = None,
    ) -> tuple[Loss]:
        chosen = chosen_layers(features, layers, features.layers)
        region = None if mask is None else as_mask(mask)
        return (Loss((ContentTerm(features, chosen, weight, metric, region),)),)
