"""NSTRegionMask and NSTComposite: soft regions of simple shapes, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph.errors import NodeError

from .tensors import as_image, as_mask, as_rgb, pixels, planes

if TYPE_CHECKING:
    from torch import Tensor

SHAPES = ["left", "right", "top", "bottom", "ellipse", "box"]


def _share(default: float, tooltip: str, high: float = 1.0) -> tuple[str, dict[str, Any]]:
    options = {"default": default, "min": 0.0, "max": high, "step": 0.01, "round": False}
    return ("FLOAT", {**options, "tooltip": tooltip})


class NSTRegionMask:
    DESCRIPTION = (
        "A soft mask of a simple shape, as large as a picture, and the rest of it. Cut the rest "
        "again (inside) for more regions that add up to the whole picture."
    )
    CATEGORY = "nst/mask"
    FUNCTION = "draw"
    RETURN_TYPES = ("MASK", "MASK")
    RETURN_NAMES = ("mask", "rest")
    OUTPUT_TOOLTIPS = (
        "The region: 1 inside, 0 outside, in between along the edge.",
        "What is left over: inside minus the region, or everything else.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The picture whose size the mask gets."}),
                "shape": (
                    SHAPES,
                    {
                        "default": "left",
                        "tooltip": "left, right, top, bottom: all on that side of x or y. ellipse, "
                        "box: around x, y.",
                    },
                ),
                "x": _share(0.5, "Edge or centre, from left (0) to right (1)."),
                "y": _share(0.5, "Edge or centre, from top (0) to bottom (1)."),
                "width": _share(0.5, "Of an ellipse or box, as a share of the picture's.", 4.0),
                "height": _share(0.5, "Of an ellipse or box, as a share of the picture's.", 4.0),
                "feather": _share(
                    0.1, "Width of the soft edge, as a share of the picture's long side; 0: hard."
                ),
            },
            "optional": {
                "inside": ("MASK", {"tooltip": "Only this part is divided into mask and rest."}),
            },
        }

    def draw(
        self,
        image: Tensor,
        shape: str,
        x: float,
        y: float,
        width: float,
        height: float,
        feather: float,
        inside: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        from nst_graph.style.regions import region
        from nst_graph.style.resize import resize_mask

        size = (as_image(image).shape[1], as_image(image).shape[2])
        drawn = region(shape, size, (x, y), (width, height), feather)[None]
        if inside is None:
            return drawn, 1 - drawn
        whole = resize_mask(as_mask(inside, "inside"), size)
        return drawn * whole, (1 - drawn) * whole


class NSTComposite:
    DESCRIPTION = (
        "Lays a region of one picture over another: protects a face or puts two styles together "
        "after painting."
    )
    CATEGORY = "nst/mask"
    FUNCTION = "compose"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The picture below with the region on top.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The picture below; the result has its size."}),
                "over": ("IMAGE", {"tooltip": "The picture on top, resized to the one below."}),
                "mask": ("MASK", {"tooltip": "Where the picture on top is seen (1)."}),
                "strength": _share(1.0, "How opaque the picture on top is within the mask."),
            }
        }

    def compose(self, image: Tensor, over: Tensor, mask: Tensor, strength: float) -> tuple[Tensor]:
        import torch

        from nst_graph.style.resize import resize, resize_mask

        below = planes(as_rgb(image))
        size = (below.shape[2], below.shape[3])
        above = resize(planes(as_rgb(over, "over")), size)
        share = resize_mask(as_mask(mask), size).clamp(0, 1)[:, None] * strength
        count = max(len(below), len(above), len(share))
        for name, found in (("image", below), ("over", above), ("mask", share)):
            if len(found) not in (1, count):
                raise NodeError(f"{name} has {len(found)} frames for {count}; give one or as many")
        return (pixels(torch.lerp(below, above, share)),)
