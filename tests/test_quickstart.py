"""The first minute: the shipped example, end to end, through the command a newcomer types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SMALL = ["--set", "optimize.size=96", "--set", "optimize.steps=12", "--set", "optimize.scales=2"]


def nst(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nst_graph", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def test_the_quickstart_paints_and_prints_the_path_of_its_picture(tmp_path: Path) -> None:
    done = nst(tmp_path, "run", "quickstart", *SMALL)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path == tmp_path / "output" / "quickstart_00001_.png"
    painted = pixels(str(path))
    assert painted.shape == (72, 96, 3)
    assert painted.std() > 20, "a picture, not a flat colour"
    with Image.open(path) as image:
        prompt, recipe = json.loads(image.info["prompt"]), json.loads(image.info["nst"])
    assert prompt["8"]["inputs"]["size"] == 96
    assert recipe["inputs"].keys() == {"nst_harbour.jpg", "nst_swirls.jpg"}
    assert "step 12/12" in done.stderr and "it/s" in done.stderr


def test_equal_runs_in_two_homes_give_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for name in ("one", "two"):
        monkeypatch.setenv("NST_HOME", str(tmp_path / name / "home"))
        (tmp_path / name).mkdir()
        done = nst(tmp_path / name, "run", "quickstart", *SMALL, "--quiet")
        assert done.returncode == 0, done.stderr
        written.append(Path(done.stdout.strip()).read_bytes())
    assert written[0] == written[1]


def test_a_picture_is_a_graph_and_proves_itself(tmp_path: Path) -> None:
    first = nst(tmp_path, "run", "quickstart", *SMALL, "--quiet")
    picture = first.stdout.strip()
    again = nst(tmp_path, "run", picture, "--quiet")
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr
    other = nst(tmp_path, "run", picture, "--quiet", "--set", "style.weight=3")
    assert other.returncode == 0, other.stderr
    assert np.abs(pixels(picture) - pixels(other.stdout.strip())).max() > 0
    told = nst(tmp_path, "verify", picture)
    assert (told.returncode, told.stdout) == (0, "bit-identical\n"), told.stderr


def test_own_pictures_are_given_by_their_paths(tmp_path: Path) -> None:
    for folder, colour in (("photos", (40, 90, 160)), ("paintings", (200, 120, 30))):
        (tmp_path / folder).mkdir()
        noise = np.random.default_rng(1).normal(0, 30, (60, 80, 3)) + colour
        picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
        picture.save(tmp_path / folder / "same name.png")
    done = nst(
        tmp_path,
        "run",
        "quickstart",
        *SMALL,
        "--quiet",
        "--set",
        "content.image=photos/same name.png",
        "--set",
        f"style_image.image={tmp_path / 'paintings' / 'same name.png'}",
    )
    assert done.returncode == 0, done.stderr
    assert pixels(done.stdout.strip()).shape == (72, 96, 3)
