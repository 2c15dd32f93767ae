"""NSTStyleOptions: how large the strokes are, copies turned and mirrored, fewer layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nst_graph.errors import NodeError
from nst_graph.values import Gram

AUGMENTS = ["keep", "none", "mirror", "rotate", "all"]
LARGEST_SCALE = 16.0


class NSTStyleOptions:
    DESCRIPTION = (
        "Changes how a style is measured: the size of its strokes, turned and mirrored copies of "
        "its picture, only some of its layers. Works on blends too."
    )
    CATEGORY = "nst/style"
    FUNCTION = "apply"
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    OUTPUT_TOOLTIPS = ("The same style, measured so.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "gram": ("GRAM", {"tooltip": "The style, from GramMatrix or a blend."}),
                "scale": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.05,
                        "max": LARGEST_SCALE,
                        "step": 0.05,
                        "round": False,
                        "tooltip": "Size of the style picture beside the painted one: 2 doubles "
                        "the strokes, 0.5 halves them. Never larger than the picture's file.",
                    },
                ),
                "augment": (
                    AUGMENTS,
                    {
                        "default": "keep",
                        "tooltip": "mirror: also the mirrored picture counts; rotate: also its "
                        "quarter turns; all: both, 8 copies. Strokes then have no main direction. "
                        "none: only the picture itself. keep: as the style has it.",
                    },
                ),
                "layers": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Only these of the style's layers, separated by commas, such "
                        "as relu1_1,relu2_1 for fine texture; empty: all.",
                    },
                ),
            }
        }

    def apply(self, gram: Gram, scale: float, augment: str, layers: str) -> tuple[Gram]:
        sources = tuple(
            replace(
                source,
                scale=min(source.scale * scale, LARGEST_SCALE),
                augment=source.augment if augment == "keep" else augment,
            )
            for source in gram.sources
        )
        return (replace(gram, sources=sources, layers=layers_among(gram, layers)),)


def layers_among(gram: Gram, text: str) -> tuple[str, ...]:
    """The layers in ``text``, all of which ``gram`` must have; all of them if it is empty.

    Raises:
        NodeError: one is not among them.
    """
    from nst_graph.style.layers import split_layers

    from .features import canonical_layers

    names = split_layers(text)
    if not names:
        return gram.layers
    wanted = canonical_layers(gram.sources[0].features.encoder, names)
    absent = [layer for layer in wanted if layer not in gram.layers]
    if absent:
        raise NodeError(
            f"{', '.join(absent)} is not among the layers of this style "
            f"({', '.join(gram.layers)}); add it to VGGFeatures and GramMatrix"
        )
    return wanted
