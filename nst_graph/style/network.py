"""The operations of an encoder: input transform, padded convolution, pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_ONE, _ZERO = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)

# name: (factor, reversed channels, mean, standard deviation); see architecture.TRANSFORMS
_INPUTS: dict[str, tuple[float, bool, tuple[float, ...], tuple[float, ...]]] = {
    "torch": (1.0, False, _TORCH_MEAN, _TORCH_STD),
    "caffe": (255.0, True, _CAFFE_MEAN, _ONE),
    "caffe256": (256.0, True, _CAFFE_MEAN, _ONE),
    "raw01": (1.0, False, _ZERO, _ONE),
    "torch255": (255.0, False, (123.675, 116.28, 103.53), _ONE),
    "raw255": (255.0, False, _ZERO, _ONE),
}


def transform(x: Tensor, name: str) -> Tensor:
    """The network's input for the sRGB picture ``x`` [N, 3, H, W] in 0..1, float32."""
    factor, reverse, mean, std = _INPUTS[name]
    x = x.flip(1) if reverse else x
    x = x * factor if factor != 1.0 else x
    if mean is not _ZERO:
        x = x - torch.tensor(mean, device=x.device).view(3, 1, 1)
    return x if std is _ONE else x / torch.tensor(std, device=x.device).view(3, 1, 1)


def convolve(x: Tensor, weight: Tensor, bias: Tensor, padding: str) -> Tensor:
    """A 3x3 convolution that keeps the size; ``padding``: zeros, replicate or reflect."""
    if padding == "zeros":
        return F.conv2d(x, weight, bias, padding=1)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=padding), weight, bias)


def pool(x: Tensor, kind: str) -> Tensor:
    """Halve both sides, an odd last row or column left out; see architecture.POOLINGS."""
    if kind == "max":
        return F.max_pool2d(x, 2)
    if kind == "average":
        return F.avg_pool2d(x, 2)
    if kind == "average-scaled":
        return F.avg_pool2d(x, 2) * 2.0
    if kind == "l2":
        return _l2_pool(x)
    if kind == "l2-scaled":
        return _l2_pool(x) * 0.78
    return _blur_pool(x)


def _l2_pool(x: Tensor) -> Tensor:
    """Root of the sum of squares, in float32; the gradient at zero is zero, not NaN."""
    squares = F.avg_pool2d(x.float().square(), 2) * 4.0
    return squares.clamp_min(1e-30).sqrt().to(x.dtype)


def _blur_pool(x: Tensor) -> Tensor:
    channels = x.shape[1]
    row = torch.tensor((1.0, 3.0, 3.0, 1.0), device=x.device, dtype=x.dtype) / 8.0
    kernel = torch.outer(row, row).expand(channels, 1, 4, 4)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=channels)
