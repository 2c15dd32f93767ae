"""Losses on the pixels: NSTTotalVariation, NSTHistogramLoss, NSTLaplacianLoss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.values import Loss, PixelTerm

from .content_loss import weight_input
from .features import rgb

if TYPE_CHECKING:
    from torch import Tensor


class NSTTotalVariation:
    DESCRIPTION = (
        "Keeps neighbouring pixels alike: less noise, smoother strokes. Optimize has a mild one "
        "built in (tv_weight); set that to 0 when you link this."
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
                "weight": weight_input(0.5, "How strongly. May be changed while it runs."),
            },
            "optional": {
                "kind": (
                    ["l2", "l1", "nine_point"],
                    {
                        "default": "l2",
                        "tooltip": "l2: squared differences. l1: absolute ones, keeps edges. "
                        "nine_point: squared, with the diagonals.",
                    },
                ),
                "reduction": (
                    ["mean", "sum"],
                    {
                        "default": "mean",
                        "tooltip": "mean: independent of the size. sum: as older programs do; the "
                        "strength then grows with the picture.",
                    },
                ),
                "value_scale": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.001,
                        "max": 1000.0,
                        "step": 1.0,
                        "round": False,
                        "tooltip": "Pixel values run from 0 to this (255 in older programs).",
                    },
                ),
            },
        }

    def make(
        self, weight: float, kind: str = "l2", reduction: str = "mean", value_scale: float = 1.0
    ) -> tuple[Loss]:
        options = (("reduction", reduction), ("value_scale", value_scale))
        return (Loss((PixelTerm("total variation", weight, kind, options),)),)


class NSTHistogramLoss:
    DESCRIPTION = (
        "Pulls the colours towards those of a picture: each channel towards its histogram "
        "(Risser et al. 2017, on pixels). For histograms of activations use StyleLoss's kind."
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
                "image": ("IMAGE", {"tooltip": "The picture whose colours to take."}),
                "weight": weight_input(1.0, "How strongly. May be changed while it runs."),
            }
        }

    def make(self, image: Tensor, weight: float) -> tuple[Loss]:
        return (Loss((PixelTerm("histogram", weight, "histogram", (), rgb(image)),)),)


class NSTLaplacianLoss:
    DESCRIPTION = (
        "Keeps the edges of a picture where they are, at one or more coarsenesses: fewer "
        "distortions of fine structures (Lapstyle, Li et al. 2017)."
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
                "image": ("IMAGE", {"tooltip": "The content picture."}),
                "weight": weight_input(0.02, "How strongly. May be changed while it runs."),
            },
            "optional": {
                "pooling": (
                    "STRING",
                    {
                        "default": "4, 16",
                        "tooltip": "Edges are compared after averaging squares of so many pixels.",
                    },
                ),
                "scale": (
                    ["relative", "mean", "sum"],
                    {
                        "default": "relative",
                        "tooltip": "relative: to the edges of the picture, independent of size. "
                        "sum: as in the paper.",
                    },
                ),
            },
        }

    def make(
        self, image: Tensor, weight: float, pooling: str = "4, 16", scale: str = "relative"
    ) -> tuple[Loss]:
        from nst_graph.style.pixel_losses import pooling_sizes

        pooling_sizes(pooling)
        options = (("pooling", pooling), ("scale", scale))
        return (Loss((PixelTerm("laplacian", weight, "laplacian", options, rgb(image)),)),)
