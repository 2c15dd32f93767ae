"""The size widgets that loading and resizing share, and NSTResize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FITS = ["none", "contain", "cover", "stretch", "short", "long", "megapixels"]
FILTERS = ["bicubic", "bilinear", "area", "lanczos", "nearest"]
_SIDE = {"min": 0, "max": 16384, "step": 8}

FIT_INPUTS: dict[str, Any] = {
    "fit": (
        FITS,
        {
            "default": "none",
            "tooltip": (
                "none: as it is. contain: as large as fits into width x height. cover: fills "
                "width x height, the rest is cut off evenly. stretch: exactly width x height, "
                "out of proportion. short, long: that side becomes width. megapixels: as many "
                "pixels as width x height has. A side of 0 follows from the other one."
            ),
        },
    ),
    "width": ("INT", {"default": 512, **_SIDE, "tooltip": "Pixels across; see fit."}),
    "height": ("INT", {"default": 512, **_SIDE, "tooltip": "Pixels down; see fit."}),
}


def fit_image(image: Tensor, fit: str, width: int, height: int, filter: str = "bicubic") -> Tensor:
    """IMAGE [B, H, W, C] fitted; the very same tensor when nothing changes."""
    from nst_graph.style.images import refuse_huge
    from nst_graph.style.resize import fit_size, fitted

    from .tensors import pixels, planes

    across, down, _ = fit_size(image.shape[2], image.shape[1], fit, width, height)
    refuse_huge(across, down, "the resized picture", image.shape[0])
    result = fitted(planes(image), fit, width, height, filter)
    return image if result.shape[2:] == image.shape[1:3] else pixels(result)


def fit_mask(mask: Tensor, fit: str, width: int, height: int) -> Tensor:
    """MASK [B, H, W] fitted as a picture of its size would be."""
    from nst_graph.style.resize import fit_size, resize_mask

    across, down, box = fit_size(mask.shape[2], mask.shape[1], fit, width, height)
    mask = resize_mask(mask, (down, across))
    if box is not None:
        mask = mask[:, box[1] : box[3], box[0] : box[2]]
    return mask.contiguous()


class NSTResize:
    DESCRIPTION = "Changes the size of a picture. Shrinking averages, so that nothing flickers."
    CATEGORY = "nst/image"
    FUNCTION = "resize"
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The picture at its new size.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        filter_tip = (
            "bicubic is right for photographs; area averages exactly; lanczos is the sharpest; "
            "nearest keeps hard pixels."
        )
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The picture, or a batch of pictures."}),
                **FIT_INPUTS,
                "filter": (FILTERS, {"default": "bicubic", "tooltip": filter_tip}),
            }
        }

    def resize(
        self, image: Tensor, fit: str, width: int, height: int, filter: str
    ) -> tuple[Tensor]:
        from .tensors import as_image

        return (fit_image(as_image(image), fit, width, height, filter).cpu(),)
