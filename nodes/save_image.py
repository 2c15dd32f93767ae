"""Pictures to files: ComfyUI's SaveImage and PreviewImage, and a saver for every format."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nst_graph import host
from nst_graph.errors import NodeError

from .output_names import Place, prefix_problem, save_all
from .tensors import as_image, as_mask

if TYPE_CHECKING:
    from torch import Tensor

    from nst_graph.style.encode import Saving

HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
PREFIX_TIP = (
    "Start of the file name; may name a sub-folder. %width%, %height%, %year%, %month%, %day%, "
    "%hour%, %minute%, %second% and %batch_num% are replaced."
)


def embedded_text(
    prompt: Mapping[str, Any] | None, extra_pnginfo: Mapping[str, Any] | None
) -> dict[str, str]:
    """What a picture carries: its graph and the runner's facts as ASCII JSON, by chunk name.

    Always valid JSON: not-a-number becomes null, and the fingerprints that ComfyUI leaves in a
    graph are dropped, for they would make it trust stale results when the graph is loaded again.
    """
    found: dict[str, Any] = {}
    if prompt is not None:
        found["prompt"] = {
            node_id: {key: value for key, value in node.items() if key != "is_changed"}
            for node_id, node in prompt.items()
        }
    found |= extra_pnginfo or {}
    return {name: _strict_json(value) for name, value in found.items()}


def _strict_json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _warn_not_finite(images: Tensor) -> None:
    if not bool(images.isfinite().all()):
        host.current().note("the picture has values that are not numbers; they were saved as black")


class SaveImage:
    DESCRIPTION = (
        "Saves pictures as 8-bit PNG into the output folder, exactly as ComfyUI does, with the "
        "graph inside. Never overwrites a file."
    )
    CATEGORY = "image"
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    OUTPUT_TOOLTIPS = ("The pictures, unchanged.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "images": ("IMAGE", {"tooltip": "The pictures to save."}),
                "filename_prefix": ("STRING", {"default": "ComfyUI", "tooltip": PREFIX_TIP}),
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None) -> bool | str:
        return prefix_problem(filename_prefix)

    def save_images(
        self,
        images: Tensor,
        filename_prefix: str = "ComfyUI",
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        place = Place(host.current().folders.output, "output")
        text = embedded_text(prompt, extra_pnginfo)
        return _save_as_comfy(images, place, filename_prefix, text, 4)


class PreviewImage:
    DESCRIPTION = "Shows pictures without keeping them: they go to the temporary folder."
    CATEGORY = "image"
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    OUTPUT_TOOLTIPS = ("The pictures, unchanged.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"images": ("IMAGE", {"tooltip": "The pictures to show."})},
            "hidden": HIDDEN,
        }

    def save_images(
        self,
        images: Tensor,
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        place = Place(host.current().folders.temp, "temp")
        prefix = f"ComfyUI_temp_{secrets.token_hex(3)}"
        return _save_as_comfy(images, place, prefix, embedded_text(prompt, extra_pnginfo), 1)


def _save_as_comfy(
    images: Tensor, place: Place, prefix: str, text: Mapping[str, str], compress_level: int
) -> dict[str, Any]:
    from nst_graph.style.encode import comfy_png

    frames = as_image(images, "images")
    _warn_not_finite(frames)
    size = frames.shape[2], frames.shape[1]
    data = (comfy_png(frame, text, compress_level) for frame in frames)
    return {
        "ui": {"images": save_all(place, prefix, ".png", size, data)},
        "result": (images,),
    }


class NSTSaveImage:
    DESCRIPTION = (
        "Saves pictures as PNG, JPEG, WebP or TIFF, with 8 or 16 bits, a colour profile, "
        "transparency and the graph inside. Rounds to the nearest level; never overwrites a file."
    )
    CATEGORY = "nst/image"
    FUNCTION = "save"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        quality = (
            "For JPEG and WebP. 95 is hard to tell from the original; 100 makes WebP lossless."
        )
        return {
            "required": {
                "images": ("IMAGE", {"tooltip": "The pictures to save."}),
                "filename_prefix": ("STRING", {"default": "nst", "tooltip": PREFIX_TIP}),
                "format": (
                    ["png", "jpeg", "webp", "tiff"],
                    {"default": "png", "tooltip": "The kind of file; png and tiff lose nothing."},
                ),
                "bits": (
                    "INT",
                    {
                        "default": 8,
                        "min": 8,
                        "max": 16,
                        "step": 8,
                        "tooltip": "Bits per channel, 8 or 16; 16 needs png or tiff.",
                    },
                ),
                "quality": ("INT", {"default": 95, "min": 1, "max": 100, "tooltip": quality}),
                "icc": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "Embed the sRGB profile, so colours look alike."},
                ),
            },
            "optional": {
                "alpha": (
                    "MASK",
                    {"tooltip": "Transparency to save: 1 = opaque. JPEG cannot hold it."},
                ),
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(
        cls, filename_prefix: str | None, format: str | None, bits: int | None
    ) -> bool | str:
        from nst_graph.style.encode import check_depth  # needs no torch

        if format is not None and bits is not None:
            try:
                check_depth(format, bits)
            except NodeError as error:
                return str(error)
        return prefix_problem(filename_prefix)

    def save(
        self,
        images: Tensor,
        filename_prefix: str,
        format: str,
        bits: int,
        quality: int,
        icc: bool,
        alpha: Tensor | None = None,
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        from nst_graph.style.encode import SUFFIXES, Saving, check_depth

        check_depth(format, bits)
        text = embedded_text(prompt, extra_pnginfo)
        saving = Saving(format, bits, quality, icc, text)
        frames = as_image(images, "images").cpu()
        _warn_not_finite(frames)
        masks = None if alpha is None else _fitting_masks(as_mask(alpha, "alpha"), frames)
        place = Place(host.current().folders.output, "output")
        size = frames.shape[2], frames.shape[1]
        data = _encoded_all(frames, masks, saving)
        return {"ui": {"images": save_all(place, filename_prefix, SUFFIXES[format], size, data)}}


def _encoded_all(frames: Tensor, masks: Tensor | None, saving: Saving) -> Iterator[bytes]:
    from nst_graph.style.encode import encoded

    for index, frame in enumerate(frames):
        mask = None if masks is None else masks[index]
        yield encoded(frame, mask, saving, host.current().note)


def _fitting_masks(masks: Tensor, frames: Tensor) -> Tensor:
    """One mask of the pictures' size for each of them; a single mask serves all."""
    from nst_graph.style.resize import resize_mask

    if masks.shape[0] not in (1, frames.shape[0]):
        raise NodeError(
            f"alpha has {masks.shape[0]} masks for {frames.shape[0]} pictures; give one or as many"
        )
    return resize_mask(masks, (frames.shape[1], frames.shape[2])).expand(frames.shape[0], -1, -1)
