"""The catalogue of sample pictures and the command that paints them.

``python -m examples.painting OUT_DIR [NAME …]`` paints all of them, or those named, into
OUT_DIR. The same numpy and Pillow give the same bytes.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from .canvas import save
from .noise import Array

# File name: the module that paints it.
CONTENTS = {
    "nst_harbour.jpg": "harbour",
    "nst_lake.jpg": "lake",
    "nst_lighthouse.jpg": "lighthouse",
    "nst_street.jpg": "street",
    "nst_still_life.jpg": "still_life",
    "nst_portrait.jpg": "portrait",
}
STYLES = {
    "nst_swirls.jpg": "swirls",
    "nst_glass.jpg": "glass",
    "nst_linocut.png": "linocut",
    "nst_dots.jpg": "dots",
    "nst_watercolour.jpg": "watercolour",
    "nst_mosaic.jpg": "mosaic",
    "nst_cubist.jpg": "cubist",
    "nst_rain.jpg": "rain",
}
CATALOGUE = {**CONTENTS, **STYLES}


def paint(file_name: str) -> Array:
    """Paint one picture of the catalogue: height × width × 3, display values (sRGB, 0 to 1)."""
    picture: Array = importlib.import_module(f".{CATALOGUE[file_name]}", __package__).paint()
    return picture


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.painting", description=__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("name", nargs="*", metavar="NAME")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.name) - set(CATALOGUE.values()))
    if unknown:
        parser.error(f"no picture {', '.join(unknown)}; there are {', '.join(CATALOGUE.values())}")
    chosen.out_dir.mkdir(parents=True, exist_ok=True)
    for file_name, module in CATALOGUE.items():
        if chosen.name and module not in chosen.name:
            continue
        save(paint(file_name), chosen.out_dir / file_name)
        print(chosen.out_dir / file_name, flush=True)
    return 0
