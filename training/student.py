"""The network that is trained, and how it starts from a narrower one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst_graph.style.architecture import Architecture
from nst_graph.style.weights_files import Weights, read

COMPACT = Architecture((24, 64, 128, 192, 192), (2, 2, 2, 2, 1), "blur", "reflect", "torch")
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RARELY = 0.002
"""A channel that fires at a smaller share of all positions is as good as dead."""
_BLUR = (0.125, 0.375, 0.375, 0.125)


class Student(nn.Module):
    """[B, 3, H, W] in 0..1 -> ``{reluB_I: [B, C, h, w]}``, reflection padding."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.convs = nn.ModuleDict()
        for name in architecture.conv_names:
            out, into, _, _ = architecture.conv_shape(name)
            self.convs[name] = nn.Conv2d(into, out, 3)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.with_idleness(x)[0]

    def with_idleness(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The taps, and how far channels are from firing: a penalty that keeps them alive.

        Per channel: how far mean + 2 deviations of its convolution (at every other position) lie
        below zero, in units of the layer's mean deviation; the mean over a layer's channels,
        summed over layers.
        """
        x = (x - x.new_tensor(_MEAN).view(3, 1, 1)) / x.new_tensor(_DEVIATION).view(3, 1, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        taps, idle = {}, torch.zeros(())
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "conv1_1":
                x = blurred(x) if self.architecture.pooling == "blur" else F.avg_pool2d(x, 2)
            x = conv(F.pad(x, (1, 1, 1, 1), mode="reflect"))
            if self.training:
                deviation, mean = torch.std_mean(x[:, :, ::2, ::2].float(), (0, 2, 3))
                idle = idle + F.relu(-(mean + 2 * deviation) / deviation.detach().mean()).mean()
            x = taps[name.replace("conv", "relu")] = F.relu(x)
        return taps, idle

    def tensors(self) -> dict[str, Tensor]:
        """Weights and biases by canonical name."""
        return {name.removeprefix("convs."): t for name, t in self.state_dict().items()}

    def take(self, tensors: Mapping[str, Tensor]) -> None:
        self.load_state_dict({f"convs.{name}": t for name, t in tensors.items()})


def blurred(x: Tensor) -> Tensor:
    """Halve [B, C, H, W] with the filter [1, 3, 3, 1] / 8 in both directions (Zhang 2019)."""
    taps = torch.tensor(_BLUR, dtype=x.dtype)
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def from_file(path: Path) -> tuple[Student, Weights]:
    """An encoder file as a student, to be measured."""
    weights = read(path)
    student = Student(weights.architecture)
    student.take({name: t for name, t in weights.tensors.items() if name.startswith("conv")})
    return student, weights


@torch.no_grad()
def widened(narrow: Weights, architecture: Architecture, pictures: Tensor) -> Student:
    """A student that computes what ``narrow`` computes, with further channels at work beside it.

    Channels of ``narrow`` that hardly ever fire on ``pictures`` [B, 3, H, W] begin anew as well.
    Nothing old listens to new channels yet, so that training starts from the narrow network's
    features (but for the pooling).
    """
    student = Student(architecture)
    heard = torch.ones(3, dtype=torch.bool)
    for name, conv in student.convs.items():
        old = narrow.tensors[f"{name}.weight"]
        out, into = old.shape[:2]
        _fresh(student, name, pictures)
        weight, bias = conv.weight.clone(), conv.bias.clone()
        conv.weight[:out] = 0
        conv.weight[:out, :into] = old
        conv.weight[:out, ~heard] = 0
        conv.bias[:out] = narrow.tensors[f"{name}.bias"]
        firing = (student(pictures)[name.replace("conv", "relu")] > 0).float().mean((0, 2, 3))
        fresh = firing < RARELY
        fresh[out:] = True
        conv.weight[fresh], conv.bias[fresh] = weight[fresh], bias[fresh]
        heard = ~fresh
    return student


@torch.no_grad()
def untrained(architecture: Architecture, pictures: Tensor) -> Student:
    """Random filters, each centred and scaled on ``pictures``: what training is compared with."""
    student = Student(architecture)
    for name in student.convs:
        _fresh(student, name, pictures)
    return student


def _fresh(student: Student, name: str, pictures: Tensor) -> None:
    """Orthogonal filters whose outputs have zero mean and unit deviation on ``pictures``."""
    conv = student.convs[name]
    conv.weight.copy_(nn.init.orthogonal_(torch.empty(conv.weight.shape)))
    conv.bias.zero_()
    seen: list[Tensor] = []
    hook = conv.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    student(pictures)
    hook.remove()
    mean, deviation = seen[0].mean((0, 2, 3)), seen[0].std((0, 2, 3)).clamp(min=1e-4)
    conv.weight /= deviation.view(-1, 1, 1, 1)
    conv.bias.copy_(-mean / deviation)
