"""How near results come to their style picture in true VGG-19 features, whatever made them.

    python -m training.judge --vgg VGG19.safetensors --style STYLE.jpg RESULT.png [...]

Prints the relative Gram error (Frobenius norm) at relu1_1, relu2_1 and relu3_1, both pictures
having the same long side. An encoder's own loss cannot be compared with another encoder's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nst_graph.style.encoder import Encoder
from nst_graph.style.weights_files import read
from training.objective import gram

TAPS = ("relu1_1", "relu2_1", "relu3_1")


def sized(path: Path, long_side: int) -> Tensor:
    """[1, 3, H, W] in 0..1 with this long side."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = long_side / max(image.size)
    width, height = (max(16, round(side * scale)) for side in image.size)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)[None]


@torch.no_grad()
def errors(vgg: Encoder, style: Tensor, result: Tensor) -> dict[str, float]:
    """Relative Gram error by tap."""
    wanted, found = vgg(style, TAPS), vgg(result, TAPS)
    return {
        tap: float((gram(found[tap]) - gram(wanted[tap])).norm() / gram(wanted[tap]).norm())
        for tap in TAPS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("results", type=Path, nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    vgg = Encoder("vgg", read(args.vgg))
    for path in args.results:
        result = sized(path, max(Image.open(path).size))
        style = sized(args.style, max(result.shape[-2:]))
        numbers = " ".join(f"{tap} {e:.3f}" for tap, e in errors(vgg, style, result).items())
        print(f"{path.name[:40]:40} {numbers}")


if __name__ == "__main__":
    main()
