"""Distil VGG-19 into the compact encoder on one CPU core.

    python -m training.distill --start NARROW.safetensors --vgg VGG19.safetensors
        --compressed VGG19_16X.safetensors --photos DIR [DIR ...] --paintings DIR [DIR ...]
        --steps 11000 --out student.pt

Every step: eight crops of 96 px; per tap the mean squared error of the standardised teacher
features after an affine map plus half the relative Gram error. Every fourth batch comes from the
student's own style loop. Adam, cosine schedule; what is kept is a running average of the weights.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nst_graph.style.architecture import Architecture
from nst_graph.style.weights_files import Weights, read
from training.objective import Heads, loss, thinned
from training.on_policy import OnPolicy
from training.pictures import Crops, Pixels, split
from training.pictures import read as read_picture
from training.student import COMPACT, Student, widened
from training.teachers import Targets, Teachers

SHORT_SIDE = {"photos": 208, "paintings": 448}


@dataclass(frozen=True)
class Recipe:
    """``minutes`` limits the schedule by the clock instead of by ``steps`` if it is not 0."""

    steps: int
    minutes: float = 0
    batch: int = 8
    side: int = 96
    learning_rate: float = 1.2e-3
    warm_up: int = 200
    on_policy_every: int = 4
    pool: int = 32
    averaging: float = 0.998
    seed: int = 0
    log_every: int = 100


def distil(
    start: Weights,
    architecture: Architecture,
    teachers: Teachers,
    crops: Crops,
    recipe: Recipe,
    out: Path,
) -> Student:
    """Train, keep the averaged student's tensors in ``out`` (a torch file), and return it."""
    torch.manual_seed(recipe.seed)
    first = crops.augmented(12 * recipe.batch, recipe.side)
    features = teachers(first)
    targets = Targets(features)
    student = widened(start, architecture, first)
    heads = Heads(student, targets)
    heads.fit(_features(student, first), {tap: targets(tap, f) for tap, f in features.items()})
    average = Student(architecture)
    average.take(student.tensors())
    pool = OnPolicy(crops, recipe.pool, recipe.side)
    trained = nn.ModuleList([student, heads])
    optimiser = torch.optim.Adam(trained.parameters(), betas=(0.9, 0.99))
    began, step, smooth = time.monotonic(), 0, {}
    while (progress := _progress(recipe, step, began)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step, progress)
        if step % recipe.on_policy_every == recipe.on_policy_every - 1:
            x = pool.batch(recipe.batch, student, heads, targets)
        else:
            x = crops.augmented(recipe.batch, recipe.side)
        missed = _step(x, student, heads, teachers, targets, optimiser)
        _follow(average, student, min(recipe.averaging, step / (step + 10)))
        smooth = {k: v + (smooth.get(k, v) - v) * 0.97 for k, v in missed.items()}
        step += 1
        if step % recipe.log_every == 0:
            numbers = " ".join(f"{k} {v:.3f}" for k, v in smooth.items())
            print(f"{step} {time.monotonic() - began:.0f} s {numbers}", flush=True)
            _save(average, out)
    _save(average, out)
    print(f"{step} steps in {time.monotonic() - began:.0f} s")
    return average


def _progress(recipe: Recipe, step: int, began: float) -> float:
    if recipe.minutes:
        return (time.monotonic() - began) / (60 * recipe.minutes)
    return step / recipe.steps


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    warm = min(1, (step + 1) / recipe.warm_up)
    return recipe.learning_rate * warm * max(0.002, 0.5 * (1 + math.cos(math.pi * progress)))


def _features(student: Student, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return student(x)


def _step(
    x: Tensor,
    student: Student,
    heads: Heads,
    teachers: Teachers,
    targets: Targets,
    optimiser: torch.optim.Optimizer,
) -> dict[str, float]:
    phase = (int(torch.randint(6, ())), int(torch.randint(6, ())))
    wanted = {tap: targets(tap, thinned(f, tap, phase)) for tap, f in teachers(x).items()}
    with torch.autocast("cpu", torch.bfloat16):
        features, idleness = student.with_idleness(x)
        predicted = heads(features, phase)
    total, missed = loss(predicted, wanted, targets)
    total = total + idleness
    missed["idle"] = float(idleness.detach())
    optimiser.zero_grad()
    total.backward()
    for module in (student, heads):
        nn.utils.clip_grad_norm_(module.parameters(), 2.0)
    optimiser.step()
    return missed


@torch.no_grad()
def _follow(average: Student, student: Student, keep: float) -> None:
    for slow, fast in zip(average.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def _save(student: Student, out: Path) -> None:
    unfinished = out.with_suffix(".part")
    torch.save(student.tensors(), unfinished)
    unfinished.replace(out)


def _pictures(folders: list[Path], kind: str) -> list[Pixels]:
    return [read_picture(f, SHORT_SIDE[kind]) for folder in folders for f in split(folder)[0]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("start", "vgg", "compressed", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in SHORT_SIDE:
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=11_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = _arguments()
    torch.set_num_threads(1)
    photos, paintings = _pictures(args.photos, "photos"), _pictures(args.paintings, "paintings")
    print(f"{len(photos)} photographs, {len(paintings)} paintings", flush=True)
    crops = Crops(photos, paintings, args.seed)
    recipe = Recipe(args.steps, args.minutes, learning_rate=args.learning_rate, seed=args.seed)
    teachers = Teachers(args.vgg, args.compressed)
    distil(read(args.start), COMPACT, teachers, crops, recipe, args.out)


if __name__ == "__main__":
    main()
