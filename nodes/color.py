"""Colour before and after stylising: match it, keep it, or leave it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.errors import NodeError

from .tensors import as_rgb, pixels, planes

if TYPE_CHECKING:
    from torch import Tensor


class NSTColorMatch:
    DESCRIPTION = (
        "Gives a picture the colours of another one. Style picture in, content as reference: the "
        "brushwork arrives in the content's colours. Content in, style as reference: a better "
        "start for Optimize, or only the style's colours."
    )
    CATEGORY = "nst/color"
    FUNCTION = "match"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The picture in the reference's colours.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        method = (
            "mean_std: each channel on its own. cholesky, pca, mkl: all colours together; mkl "
            "changes them least. histogram: the exact distribution of each channel."
        )
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The picture to recolour."}),
                "reference": ("IMAGE", {"tooltip": "The picture whose colours to take."}),
                "method": (
                    ["mkl", "mean_std", "cholesky", "pca", "histogram"],
                    {"default": "mkl", "tooltip": method},
                ),
                "strength": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.05,
                        "round": False,
                        "tooltip": "0 leaves the picture as it is, 1 matches fully.",
                    },
                ),
            }
        }

    def match(
        self, image: Tensor, reference: Tensor, method: str, strength: float
    ) -> tuple[Tensor]:
        from nst_graph.style.colour import match_colour

        source, target = planes(as_rgb(image)), planes(as_rgb(reference, "reference"))
        return (pixels(match_colour(source, target, method, strength)),)


class NSTKeepColor:
    DESCRIPTION = (
        "Puts a result back into the colours of the content: light and dark from one picture, "
        "colour from the other."
    )
    CATEGORY = "nst/color"
    FUNCTION = "keep"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("Luminance of image, colour of content.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        space = (
            "ycbcr: as most systems of the field do. oklab: closer to what the eye sees as "
            "equally light and equally coloured."
        )
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The stylised picture: light and dark."}),
                "content": ("IMAGE", {"tooltip": "The picture whose colours to keep; resized."}),
                "space": (["ycbcr", "oklab"], {"default": "ycbcr", "tooltip": space}),
                "strength": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.05,
                        "round": False,
                        "tooltip": "0 leaves the picture as it is, 1 keeps all colour.",
                    },
                ),
            }
        }

    def keep(self, image: Tensor, content: Tensor, space: str, strength: float) -> tuple[Tensor]:
        import torch

        from nst_graph.style.colour import keep_colour
        from nst_graph.style.resize import resize

        x, colours = planes(as_rgb(image)), planes(as_rgb(content, "content"))
        colours = _one_each(resize(colours, (x.shape[2], x.shape[3])), len(x), "content")
        return (pixels(torch.lerp(x, keep_colour(x, colours, space), strength)),)


class NSTLuminance:
    DESCRIPTION = (
        "Takes the colour out of a picture, to stylise luminance alone; NSTKeepColor brings "
        "colour back. With a reference, light and dark are spread as in that picture: give the "
        "content as reference to the style."
    )
    CATEGORY = "nst/color"
    FUNCTION = "luminance"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The luminance, in all three channels.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        tooltip = "Takes the mean and deviation of luminance from this picture."
        return {
            "required": {"image": ("IMAGE", {"tooltip": "The picture."})},
            "optional": {"reference": ("IMAGE", {"tooltip": tooltip})},
        }

    def luminance(self, image: Tensor, reference: Tensor | None = None) -> tuple[Tensor]:
        from nst_graph.style.colour import match_luminance

        x = planes(as_rgb(image))
        if reference is None:
            return (pixels(match_luminance(x)),)
        target = _one_each(planes(as_rgb(reference, "reference")), len(x), "reference")
        return (pixels(match_luminance(x, target)),)


def _one_each(batch: Tensor, count: int, name: str) -> Tensor:
    """``batch`` with ``count`` frames; a single frame serves all."""
    if len(batch) not in (1, count):
        raise NodeError(f"{name} has {len(batch)} pictures for {count}; give one or as many")
    return batch.expand(count, -1, -1, -1)
