"""A trained student as an encoder file with calibrated taps.

    python -m training.export --student student.pt --photos DIR --out compact.safetensors

Each layer is scaled to a mean activation of one on natural pictures (a ReLU network computes the
same), and every ReLU gets the mean and the ZCA whitening matrix of its activations there, so that
one set of loss weights serves this encoder and others. A channel that never fires is an error.
With ``--untrained`` instead of ``--student`` the weights are random: the yardstick.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nst_graph.style.architecture import Architecture
from nst_graph.style.encoder import Encoder
from nst_graph.style.normalise import mean_activations, rescaled
from nst_graph.style.weights_files import Weights, canonical, pack
from training.pictures import centre_square, split
from training.student import COMPACT, untrained

PICTURES, SIDE = 128, 160
SHRINKAGE = 0.05
"""Added to every eigenvalue of the covariance, relative to their mean."""


class DeadChannels(Exception):
    """Some channels are constant on natural pictures."""


def exported(
    architecture: Architecture,
    tensors: Mapping[str, Tensor],
    pictures: Tensor,
    metadata: Mapping[str, str],
) -> bytes:
    """The content of an nst-encoder/1 file, float16; ``pictures`` [N, 3, H, W] in 0..1.

    Raises:
        DeadChannels: a channel does not vary on ``pictures``.
    """
    weights = _scaled(canonical(architecture, tensors), pictures)
    # The statistics are those of the rounded weights, which are what will be used.
    rounded = canonical(architecture, {name: t.half() for name, t in weights.tensors.items()})
    return pack(
        architecture, {**rounded.tensors, **_calibration(rounded, pictures)}, metadata=metadata
    )


def _scaled(weights: Weights, pictures: Tensor) -> Weights:
    means = mean_activations(Encoder("student", weights), pictures.split(1))
    return rescaled(weights, {conv: m.mean().expand_as(m) for conv, m in means.items()})


def _calibration(weights: Weights, pictures: Tensor) -> dict[str, Tensor]:
    encoder = Encoder("student", weights)
    taps = [tap for tap in encoder.layers if tap.startswith("relu")]
    moments = {tap: Moments(encoder.channels(tap)) for tap in taps}
    for picture in pictures.split(1):
        with torch.no_grad():
            for tap, features in encoder(picture, taps).items():
                moments[tap].add(features)
    found = {}
    for tap, m in moments.items():
        deviation = m.covariance().diagonal().sqrt()
        dead = (deviation < 1e-3 * deviation.median()).nonzero().flatten().tolist()
        if dead:
            raise DeadChannels(f"channels {dead} of {tap} never fire")
        found[f"calibration.{tap}.whiten"] = whitening(m.covariance())
        found[f"calibration.{tap}.mean"] = m.mean()
    return found


class Moments:
    """Mean [C] and covariance [C, C] over all positions added so far, float64."""

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sum = torch.zeros(channels, dtype=torch.float64)
        self._products = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """``features``: [B, C, H, W]."""
        rows = features.permute(0, 2, 3, 1).flatten(0, 2)
        self._count += len(rows)
        self._sum += rows.sum(0, dtype=torch.float64)
        self._products += (rows.T @ rows).double()

    def mean(self) -> Tensor:
        return self._sum / self._count

    def covariance(self) -> Tensor:
        return self._products / self._count - torch.outer(self.mean(), self.mean())


def whitening(covariance: Tensor) -> Tensor:
    """The symmetric (ZCA) whitening matrix of ``covariance`` [C, C], with shrinkage."""
    values, vectors = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    return vectors @ torch.diag((values + SHRINKAGE * values.mean()).rsqrt()) @ vectors.T


def natural_pictures(folder: Path, count: int = PICTURES, side: int = SIDE) -> Tensor:
    """[count, 3, side, side]: the middles of ``count`` training photographs, evenly chosen."""
    found = split(folder)[0]
    return torch.stack([centre_square(f, side) for f in found[:: max(1, len(found) // count)]])[
        :count
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--student", type=Path)
    origin.add_argument("--untrained", action="store_true")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--training", default="", help="how it was trained, kept in the file")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pictures = natural_pictures(args.photos)
    if args.untrained:
        torch.manual_seed(0)
        tensors = untrained(COMPACT, pictures[:32]).tensors()
    else:
        tensors = torch.load(args.student, weights_only=True)
    metadata = {
        "source": "random weights" if args.untrained else "distilled from VGG-19",
        "licence": "MIT; derived from VGG-19 of Simonyan & Zisserman (CC BY 4.0)",
        "training": args.training,
    }
    content = exported(COMPACT, tensors, pictures, metadata)
    args.out.write_bytes(content)
    print(f"{len(content):,} bytes")


if __name__ == "__main__":
    main()
