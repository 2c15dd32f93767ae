"""GramMatrix: the statistics of a picture's activations that make up its style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.values import STYLE_LAYERS, Features, Gram, StyleSource

from .features import chosen_layers
from .tensors import as_mask

if TYPE_CHECKING:
    from torch import Tensor


class GramMatrix:
    DESCRIPTION = (
        "The style of a picture: which activations of a layer occur together, wherever in the "
        "picture. The kind of StyleLoss decides what of it is used."
    )
    CATEGORY = "nst/style"
    FUNCTION = "measure"
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    OUTPUT_TOOLTIPS = ("The style, for StyleLoss.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"features": ("VGG_FEATURES", {"tooltip": "Of the style picture."})},
            "optional": {
                "layers": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Empty: the first ReLU of each block (relu1_1 to relu5_1), as "
                        "far as the features have them; else names, separated by commas. Shallow "
                        "layers hold colour and fine texture, deep ones large strokes.",
                    },
                ),
                "mask": (
                    "MASK",
                    {"tooltip": "Only this region of the style picture counts (white = counts)."},
                ),
            },
        }

    def measure(
        self, features: Features, layers: str = "", mask: Tensor | None = None
    ) -> tuple[Gram]:
        taps = tuple(layer for layer in STYLE_LAYERS if layer in features.layers)
        chosen = chosen_layers(features, layers, taps or features.layers)
        region = None if mask is None else as_mask(mask)
        return (Gram((StyleSource(features, mask=region),), chosen),)
