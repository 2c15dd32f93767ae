"""The built-in node pack. Importing it imports no torch."""

from __future__ import annotations

from .color import NSTColorMatch, NSTKeepColor, NSTLuminance
from .fit import NSTResize
from .load_image import LoadImage, LoadImageMask, NSTLoadImage
from .save_image import NSTSaveImage, PreviewImage, SaveImage

NODE_CLASS_MAPPINGS: dict[str, type] = {
    "NSTColorMatch": NSTColorMatch,
    "NSTKeepColor": NSTKeepColor,
    "NSTLoadImage": NSTLoadImage,
    "NSTLuminance": NSTLuminance,
    "NSTResize": NSTResize,
    "NSTSaveImage": NSTSaveImage,
}
"""Nodes for every host, ComfyUI included."""

STANDALONE_CLASS_MAPPINGS: dict[str, type] = {
    "LoadImage": LoadImage,
    "LoadImageMask": LoadImageMask,
    "PreviewImage": PreviewImage,
    "SaveImage": SaveImage,
}
"""Twins of ComfyUI's own nodes, for our runner only."""

NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {
    "NSTColorMatch": "Match Colours (NST)",
    "NSTKeepColor": "Keep Colours (NST)",
    "NSTLoadImage": "Load Image (NST)",
    "NSTLuminance": "Luminance (NST)",
    "NSTResize": "Resize Image (NST)",
    "NSTSaveImage": "Save Image (NST)",
}
