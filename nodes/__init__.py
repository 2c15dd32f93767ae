"""The built-in node pack. Importing it imports no torch."""

from __future__ import annotations

from .blend import NSTBlendStyles, NSTInterpolateStyles, NSTMixLayers
from .color import NSTColorMatch, NSTKeepColor, NSTLuminance
from .combine import NSTLossCombine
from .content_loss import ContentLoss
from .features import VGGFeatures
from .fit import NSTResize
from .gram import GramMatrix
from .load_image import LoadImage, LoadImageMask, NSTLoadImage
from .optimize import Optimize
from .region import NSTComposite, NSTRegionMask
from .save_image import NSTSaveImage, PreviewImage, SaveImage
from .sheet import NSTContactSheet, NSTLossPlot
from .style_loss import StyleLoss
from .style_options import NSTStyleOptions
from .timelapse import NSTTimelapse
from .total_variation import NSTHistogramLoss, NSTLaplacianLoss, NSTTotalVariation

NODE_CLASS_MAPPINGS: dict[str, type] = {
    "VGGFeatures": VGGFeatures,
    "GramMatrix": GramMatrix,
    "ContentLoss": ContentLoss,
    "StyleLoss": StyleLoss,
    "Optimize": Optimize,
    "NSTLossCombine": NSTLossCombine,
    "NSTTotalVariation": NSTTotalVariation,
    "NSTHistogramLoss": NSTHistogramLoss,
    "NSTLaplacianLoss": NSTLaplacianLoss,
    "NSTColorMatch": NSTColorMatch,
    "NSTKeepColor": NSTKeepColor,
    "NSTLoadImage": NSTLoadImage,
    "NSTLuminance": NSTLuminance,
    "NSTResize": NSTResize,
    "NSTSaveImage": NSTSaveImage,
    "NSTBlendStyles": NSTBlendStyles,
    "NSTComposite": NSTComposite,
    "NSTContactSheet": NSTContactSheet,
    "NSTInterpolateStyles": NSTInterpolateStyles,
    "NSTLossPlot": NSTLossPlot,
    "NSTMixLayers": NSTMixLayers,
    "NSTRegionMask": NSTRegionMask,
    "NSTStyleOptions": NSTStyleOptions,
    "NSTTimelapse": NSTTimelapse,
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
    "VGGFeatures": "VGG Features",
    "GramMatrix": "Gram Matrix",
    "ContentLoss": "Content Loss",
    "StyleLoss": "Style Loss",
    "Optimize": "Optimize",
    "NSTLossCombine": "Combine Losses (NST)",
    "NSTTotalVariation": "Total Variation (NST)",
    "NSTHistogramLoss": "Histogram Loss (NST)",
    "NSTLaplacianLoss": "Laplacian Loss (NST)",
    "NSTColorMatch": "Match Colours (NST)",
    "NSTKeepColor": "Keep Colours (NST)",
    "NSTLoadImage": "Load Image (NST)",
    "NSTLuminance": "Luminance (NST)",
    "NSTResize": "Resize Image (NST)",
    "NSTSaveImage": "Save Image (NST)",
    "NSTBlendStyles": "Blend Styles (NST)",
    "NSTComposite": "Composite (NST)",
    "NSTContactSheet": "Contact Sheet (NST)",
    "NSTInterpolateStyles": "Interpolate Styles (NST)",
    "NSTLossPlot": "Loss Plot (NST)",
    "NSTMixLayers": "Mix Layers (NST)",
    "NSTRegionMask": "Region Mask (NST)",
    "NSTStyleOptions": "Style Options (NST)",
    "NSTTimelapse": "Timelapse (NST)",
}
