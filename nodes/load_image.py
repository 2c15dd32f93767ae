"""Pictures from the input folder: ComfyUI's LoadImage and LoadImageMask, and a careful loader."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_graph import host
from nst_graph.errors import NodeError, UserError
from nst_graph.text import shorten

from .fit import FIT_INPUTS

if TYPE_CHECKING:
    from torch import Tensor

PICTURE_TIP = "Name of a picture in the input folder (PNG, JPEG, WebP, TIFF, BMP or GIF)."


def picture_input(tooltip: str = PICTURE_TIP) -> tuple[Any, ...]:
    """A combo of the pictures in the input folder, with ComfyUI's upload button."""
    return (host.current().folders.pictures(), {"image_upload": True, "tooltip": tooltip})


def find_picture(name: str) -> Path:
    """The file that ``name`` means.

    Raises:
        NodeError: it is missing, no regular file, or outside the input folder.
    """
    try:
        return host.current().folders.find(name)
    except NodeError:
        raise
    except UserError as error:
        raise NodeError(str(error)) from error


def picture_digest(name: str | None) -> str:
    """sha256 of the picture's bytes; empty while the name is still to be computed."""
    if name is None:
        return ""
    with find_picture(name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def picture_problem(name: str | None) -> bool | str:
    """True, or why ``name`` is no picture that may be read: the answer of VALIDATE_INPUTS."""
    if name is None:
        return True
    try:
        host.current().folders.find(name)
    except UserError as error:
        return str(error)
    return True


class LoadImage:
    DESCRIPTION = (
        "Loads a picture from the input folder, exactly as ComfyUI does. Frames of an animation "
        "become a batch. NSTLoadImage also understands colour profiles, 16 bits and sizes."
    )
    CATEGORY = "image"
    FUNCTION = "load_image"
    RETURN_TYPES = ("IMAGE", "MASK")
    OUTPUT_TOOLTIPS = (
        "The picture, RGB.",
        "1 - alpha: 1 where the picture is transparent; 64x64 zeros if nothing is.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": picture_input()}}

    @classmethod
    def IS_CHANGED(cls, image: str | None) -> str:
        return picture_digest(image)

    @classmethod
    def VALIDATE_INPUTS(cls, image: str | None) -> bool | str:
        return picture_problem(image)

    def load_image(self, image: str) -> tuple[Tensor, Tensor]:
        from nst_graph.style.images import comfy_batch

        return comfy_batch(find_picture(image), shorten(image))


class LoadImageMask:
    DESCRIPTION = (
        "Loads one channel of a picture as a mask, exactly as ComfyUI does. The alpha channel "
        "comes inverted: 1 where the picture is transparent."
    )
    CATEGORY = "mask"
    FUNCTION = "load_image"
    RETURN_TYPES = ("MASK",)
    OUTPUT_TOOLTIPS = ("The channel, 0 to 1.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        channels = ["alpha", "red", "green", "blue"]
        tooltip = "Which channel becomes the mask; alpha is inverted."
        return {"required": {"image": picture_input(), "channel": (channels, {"tooltip": tooltip})}}

    @classmethod
    def IS_CHANGED(cls, image: str | None, channel: str | None) -> str:
        return picture_digest(image)

    @classmethod
    def VALIDATE_INPUTS(cls, image: str | None) -> bool | str:
        return picture_problem(image)

    def load_image(self, image: str, channel: str) -> tuple[Tensor]:
        from nst_graph.style.images import comfy_channel

        return (comfy_channel(find_picture(image), shorten(image), channel),)


class NSTLoadImage:
    DESCRIPTION = (
        "Loads a picture with care: turned upright as its EXIF data says, converted from its "
        "colour profile to sRGB, 16 bits kept, gray, CMYK, L*a*b* and palettes understood, "
        "transparency kept, and fitted to a size."
    )
    CATEGORY = "nst/image"
    FUNCTION = "load"
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "alpha")
    OUTPUT_TOOLTIPS = (
        "The picture, RGB.",
        "Its alpha channel, of the same size: 1 = opaque, all ones without transparency. Link it "
        "to a mask input to make only the opaque part count. (LoadImage's mask is the inverse.)",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        frame = {"default": 0, "min": 0, "max": 9999, "tooltip": "Frame of an animation, from 0."}
        color = "sRGB-convert follows the picture's colour profile; keep takes the numbers as sRGB."
        return {
            "required": {
                "image": picture_input(),
                "frame": ("INT", frame),
                "color": (["sRGB-convert", "keep"], {"default": "sRGB-convert", "tooltip": color}),
                **FIT_INPUTS,
            }
        }

    @classmethod
    def IS_CHANGED(cls, image: str | None, **others: Any) -> str:
        return picture_digest(image)

    @classmethod
    def VALIDATE_INPUTS(cls, image: str | None) -> bool | str:
        return picture_problem(image)

    def load(
        self, image: str, frame: int, color: str, fit: str, width: int, height: int
    ) -> tuple[Tensor, Tensor]:
        import torch

        from nst_graph.style.picture import read_picture

        from .fit import fit_image, fit_mask

        name = shorten(image)
        picture = read_picture(find_picture(image), name, frame, srgb=color == "sRGB-convert")
        for note in picture.notes:
            host.current().note(note)
        fitted = fit_image(picture.rgb[None], fit, width, height)
        if picture.alpha is None:
            return fitted, torch.ones(fitted.shape[:3])
        return fitted, fit_mask(picture.alpha[None], fit, width, height)
