"""How far the student is from its teachers: standardised features and their Gram matrices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.student import Student
from training.teachers import Targets, inner

STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STYLE_WEIGHTS = (0.35, 0.25, 0.20, 0.12, 0.08)
CONTENT_WEIGHT = 0.5
GRAM_WEIGHT = 0.5
STRIDE = {"relu1_1": 3, "relu2_1": 2}
"""Of the two finest taps every third or second position suffices; saves a quarter of a step."""


def gram(features: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, C]: mean product of two channels over all positions."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def gram_error(features: Tensor, wanted: Tensor) -> Tensor:
    """[B]: squared distance to the Gram matrices ``wanted`` [B, C, C], relative to their size."""
    return (gram(features) - wanted).pow(2).sum((1, 2)) / wanted.pow(2).sum((1, 2))


def thinned(features: Tensor, tap: str, phase: tuple[int, int]) -> Tensor:
    """Every STRIDE-th position, starting at ``phase``."""
    stride = STRIDE.get(tap, 1)
    return features[:, :, phase[0] % stride :: stride, phase[1] % stride :: stride]


class Heads(nn.Module):
    """One affine map (a 1x1 convolution) per tap, from student to standardised teacher channels."""

    def __init__(self, student: Student, targets: Targets) -> None:
        super().__init__()
        self.taps = tuple(targets.live)
        self.maps = nn.ModuleDict(
            {
                tap: nn.Conv2d(student.architecture.channels(tap), targets.channels(tap), 1)
                for tap in self.taps
            }
        )

    def forward(self, features: Mapping[str, Tensor], phase: tuple[int, int]) -> dict[str, Tensor]:
        return {
            tap: self.maps[tap](thinned(inner(features[tap], tap), tap, phase)).float()
            for tap in self.taps
        }

    @torch.no_grad()
    def fit(self, features: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
        """Start from the least-squares solution instead of from nothing."""
        for tap in self.taps:
            x = _rows(thinned(inner(features[tap], tap), tap, (0, 0)))
            y = _rows(thinned(wanted[tap], tap, (0, 0)))
            weight, bias = affine_map(x, y, ridge=1e-2)
            self.maps[tap].weight.copy_(weight[:, :, None, None])
            self.maps[tap].bias.copy_(bias)


def loss(
    predicted: Mapping[str, Tensor], wanted: Mapping[str, Tensor], targets: Targets
) -> tuple[Tensor, dict[str, float]]:
    """The training loss, and the share of variance that is missed per tap, for the log."""
    total = torch.zeros(())
    missed = {}
    for tap, p in predicted.items():
        y = wanted[tap]
        error = (p - y).pow(2).mean()
        missed[tap] = float(error.detach())
        if tap in STYLE_TAPS:
            offset = targets.offset[tap]
            relative = gram_error(p + offset, gram(y + offset)).mean()
            missed[f"gram {tap}"] = float(relative.detach())
            total = total + error + GRAM_WEIGHT * relative
        else:
            total = total + CONTENT_WEIGHT * error
    return total, missed


def affine_map(x: Tensor, y: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """(weight [K, C], bias [K]) of the best affine map from rows of x [N, C] to y [N, K].

    ``ridge``: regularisation relative to the mean variance of x.
    """
    x64, y64 = x.double(), y.double()
    centred = x64 - x64.mean(0)
    covariance = centred.T @ centred
    covariance.diagonal().add_(ridge * covariance.diagonal().mean())
    weight = torch.linalg.solve(covariance, centred.T @ (y64 - y64.mean(0))).T
    bias = y64.mean(0) - weight @ x64.mean(0)
    return weight.to(x.dtype).contiguous(), bias.to(x.dtype)


def _rows(features: Tensor) -> Tensor:
    return features.permute(0, 2, 3, 1).flatten(0, 2).float()
