"""``kill -9`` at random instants of the shipped example, which then ends with the same bytes.

``NST_KILLS`` sets the number of kills (25; 1,000 for the long run), ``NST_KILLS_SEED`` the seed.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys
from nst_graph import run_host
run_host.FIRST_CHECKPOINT = 0.05
run_host.CHECKPOINT_SHARE = 1
from nst_graph.cli import main
raise SystemExit(main(sys.argv[1:]))
"""
"""The real command; only its checkpoints are as frequent as so short a run needs."""

GRAPH = ["run", "quickstart", "--quiet", "--device", "cpu", "--threads", "1"]
SMALL = ["--set", "optimize.size=96", "--set", "optimize.steps=30", "--set", "optimize.scales=2"]
TIMEOUT = 180.0


def start(folder: Path) -> subprocess.Popen[str]:
    """The run, with a home and an output folder of its own in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *GRAPH, *SMALL],
        cwd=folder,
        env={**os.environ, "NST_HOME": str(folder / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def picture(folder: Path) -> tuple[Path, str]:
    """Run to the end: the path of the picture and the sha256 of its bytes."""
    process = start(folder)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, err
    path = Path(out.strip())
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def whole(folder: Path) -> bool:
    """Whether every picture that bears its final name is complete."""
    ends = (path.read_bytes()[-8:] for path in folder.glob("output/*.png"))
    return all(end == b"IEND\xaeB`\x82" for end in ends)


@pytest.mark.slow
def test_kills_at_random_instants_never_change_the_picture(tmp_path: Path) -> None:
    kills = int(os.environ.get("NST_KILLS", "25"))
    chance = random.Random(int(os.environ.get("NST_KILLS_SEED", "0")))
    began = time.monotonic()
    _, expected = picture(tmp_path / "uninterrupted")
    duration = time.monotonic() - began
    print(f"uninterrupted: {duration:.2f} s, sha256 {expected}")
    done, number = 0, 0
    while done < kills:
        number += 1
        folder = tmp_path / f"round {number}"
        instants = []
        while done < kills:  # kill the same run again and again until it ends before its kill
            instant = chance.uniform(0.2, 1.0) * duration
            process, began = start(folder), time.monotonic()
            try:
                process.wait(timeout=instant)
                duration = time.monotonic() - began  # the machine has become faster
            except subprocess.TimeoutExpired:
                process.kill()
                done += 1
                instants.append(f"{instant:.3f}")
            process.communicate()
            assert process.returncode in (0, -9)
            assert whole(folder)
            if process.returncode == 0 or len(instants) == 5:
                break
        _, found = picture(folder)
        print(f"killed after {', '.join(instants) or '-'} s: sha256 {found}")
        assert found == expected
    print(f"{done} kills in {number} runs: every picture identical")
