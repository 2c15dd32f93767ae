"""What the picture nodes ask of the tensors they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nst_graph.errors import NodeError

if TYPE_CHECKING:
    from torch import Tensor


def as_image(value: Tensor, name: str = "image") -> Tensor:
    """``value`` as float32 [B, H, W, C]: hosts may hand over half precision.

    Raises:
        NodeError: it is no IMAGE of 1, 3 or 4 channels, or has no pixels.
    """
    import torch

    shape = tuple(getattr(value, "shape", ()))
    if len(shape) != 4 or shape[3] not in (1, 3, 4) or 0 in shape:
        raise NodeError(
            f"{name} must be an IMAGE [batch, height, width, 3], got a tensor of shape {shape}"
        )
    return value.detach().to(torch.float32)


def as_rgb(value: Tensor, name: str = "image") -> Tensor:
    """``value`` as float32 [B, H, W, 3] on the CPU: no alpha, gray repeated."""
    image = as_image(value, name).cpu()
    return image.expand(-1, -1, -1, 3) if image.shape[-1] == 1 else image[..., :3]


def as_mask(value: Tensor, name: str = "mask") -> Tensor:
    """``value`` as float32 [B, H, W] on the CPU; a single [H, W] counts as a batch of one.

    Raises:
        NodeError: it is no MASK, or has no pixels.
    """
    import torch

    shape = tuple(getattr(value, "shape", ()))
    if len(shape) not in (2, 3) or 0 in shape:
        raise NodeError(f"{name} must be a MASK [batch, height, width], got shape {shape}")
    mask = value.detach().cpu().to(torch.float32)
    return mask[None] if mask.ndim == 2 else mask


def planes(image: Tensor) -> Tensor:
    """IMAGE [B, H, W, C] as [B, C, H, W]."""
    return image.movedim(-1, 1)


def pixels(image: Tensor) -> Tensor:
    """[B, C, H, W] as IMAGE [B, H, W, C], contiguous, in 0..1, on the CPU."""
    return image.movedim(1, -1).cpu().float().clamp(0, 1).contiguous()
