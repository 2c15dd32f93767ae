"""StyleLoss: take on the style of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.values import Gram, Loss, StyleTerm

from .content_loss import weight_input
from .tensors import as_mask

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ["gram", "wasserstein", "mean_std", "sliced", "histogram"]
NORMALIZATIONS = [
    "auto",
    "relative",
    "raw",
    "gatys",
    "gatys_notebook",
    "neural_style",
    "gordicaleksa",
    "comfy_fst",
    "pystiche",
    "original",
    "scaled_mse",
    "crowsonkb",
]


class StyleLoss:
    DESCRIPTION = (
        "Brings the statistics of the painted picture's activations to those of the style "
        "(Gatys, Ecker & Bethge 2016, eq. 5, and its successors)."
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
                "gram": ("GRAM", {"tooltip": "The style, from GramMatrix."}),
                "weight": weight_input(
                    1.0,
                    "How strongly. With auto normalisation 1 means the same for every encoder and "
                    "size. May be changed while it runs.",
                ),
            },
            "optional": {
                "kind": (
                    KINDS,
                    {
                        "default": "gram",
                        "tooltip": "gram: Gatys' own. wasserstein: distance of means and "
                        "covariances, larger and cleaner strokes, slower. mean_std: means and "
                        "deviations only, looser. sliced: whole distributions along random "
                        "directions. histogram: of each channel.",
                    },
                ),
                "layer_weights": (
                    "STRING",
                    {
                        "default": "auto",
                        "tooltip": "auto: decreasing with depth, or what goes with the "
                        "normalisation. Or equal, ones, halving, crowsonkb (256:64:16:4:1), "
                        "gatys_notebook (1000/C²); or 'relu1_1=0.9, relu2_1=0.72'; or one number "
                        "per layer.",
                    },
                ),
                "normalization": (
                    NORMALIZATIONS,
                    {
                        "default": "auto",
                        "tooltip": "auto = relative: divided by the size of the target, so that "
                        "weights carry over between encoders and sizes. The others reproduce the "
                        "formulas of the programs they are named after.",
                    },
                ),
                "mask": (
                    "MASK",
                    {"tooltip": "Only this region of the painted picture takes on the style."},
                ),
            },
        }

    def make(
        self,
        gram: Gram,
        weight: float,
        kind: str = "gram",
        layer_weights: str = "auto",
        normalization: str = "auto",
        mask: Tensor | None = None,
    ) -> tuple[Loss]:
        from nst_graph.style import layers
        from nst_graph.style.losses import normalization as checked

        checked(normalization, kind)
        # Numbers and names are checked here; the channels only matter to the values.
        layers.layer_weights(layer_weights, gram.layers, [1] * len(gram.layers))
        region = None if mask is None else as_mask(mask)
        return (Loss((StyleTerm(gram, weight, kind, layer_weights, normalization, region),)),)
