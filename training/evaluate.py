"""How much of the teachers' features an encoder's taps explain on photographs it never saw.

    python -m training.evaluate --vgg VGG19.safetensors --compressed VGG19_16X.safetensors
        --photos DIR ENCODER.safetensors [...]

Prints R^2 (variance weighted) of the best affine map per tap, fitted on training photographs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nst_graph.style.encoder import Encoder
from nst_graph.style.weights_files import read
from training.objective import affine_map
from training.pictures import centre_square, split
from training.teachers import TAPS, Teachers, inner

FITTED_ON, SIDE, ROWS = 100, 160, 200
"""Photographs to fit on, their side in px, and positions per photograph and tap."""

Rows = dict[str, Tensor]


def collect(
    encoders: Mapping[str, Encoder], teachers: Teachers, pictures: Sequence[Tensor], seed: int
) -> tuple[Rows, dict[str, Rows]]:
    """By tap, [N, C] activations at random positions: of the teachers, and of each encoder."""
    generator = torch.Generator().manual_seed(seed)
    wanted: dict[str, list[Tensor]] = {tap: [] for tap in TAPS}
    given = {name: {tap: [] for tap in TAPS} for name in encoders}
    for picture in pictures:
        x = picture[None]
        teacher = teachers(x)
        students = {name: encoder(x, TAPS) for name, encoder in encoders.items()}
        for tap in TAPS:
            rows = _rows(teacher[tap])
            chosen = torch.randperm(len(rows), generator=generator)[:ROWS]
            wanted[tap].append(rows[chosen])
            for name, features in students.items():
                given[name][tap].append(_rows(inner(features[tap], tap))[chosen])
    return (
        {tap: torch.cat(rows) for tap, rows in wanted.items()},
        {name: {tap: torch.cat(rows) for tap, rows in g.items()} for name, g in given.items()},
    )


def explained(fit: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    """R^2, summed over channels, of the affine map fitted on ``fit`` = (x, y), on ``test``."""
    weight, bias = affine_map(*fit, ridge=1e-3)
    x, y = test
    missed = (y - x @ weight.T - bias).pow(2).sum()
    return float(1 - missed / (y - y.mean(0)).pow(2).sum())


def _rows(features: Tensor) -> Tensor:
    return features[0].flatten(1).T.float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("vgg", "compressed", "photos"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("encoders", type=Path, nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    teachers = Teachers(args.vgg, args.compressed)
    encoders = {path.stem: Encoder(path.stem, read(path)) for path in args.encoders}
    seen, held = split(args.photos)
    with torch.no_grad():
        fitting, testing = (
            collect(encoders, teachers, [centre_square(f, SIDE) for f in files], seed)
            for seed, files in enumerate((seen[:: len(seen) // FITTED_ON], held))
        )
    print(" " * 24, *(f"{tap:>8}" for tap in TAPS))
    for name in encoders:
        scores = [
            explained(
                (fitting[1][name][tap], fitting[0][tap]), (testing[1][name][tap], testing[0][tap])
            )
            for tap in TAPS
        ]
        print(f"{name[:24]:24}", *(f"{score:8.3f}" for score in scores))


if __name__ == "__main__":
    main()
