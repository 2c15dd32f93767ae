"""Node packs of others: found by their entry point, and never able to break the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"

GOOD = """
print("a pack that talks while it is imported")
class Nice:
    "x"
    DESCRIPTION = "A node that works."
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",)}}
    def run(self, image):
        return (image,)
"""
PACKS = {
    "absent": "import no_such_module_anywhere",
    "leaves": "raise SystemExit(3)",
    "slip": "def (:",
    "empty": "NOTHING = 1",
    "undescribed": GOOD
    + """
class Odd(Nice):
    @classmethod
    def INPUT_TYPES(cls):
        raise KeyError("\\x1b[31mcolours")
NODE_CLASS_MAPPINGS = {"Odd": Odd, "NiceTwo": Nice}
""",
    "taken": GOOD + 'NODE_CLASS_MAPPINGS = {"LoadImage": Nice}',
    "works": GOOD + 'NODE_CLASS_MAPPINGS = {"Nice": Nice}\n'
    'NODE_DISPLAY_NAME_MAPPINGS = {"Nice": "Very nice", "LoadImage": "stolen"}',
}


def install(site: Path, name: str, source: str) -> None:
    """What pip leaves behind of a package with one entry point."""
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(source)
    about = site / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[nst_graph.nodes]\n{name} = {name}\n")


def nst(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nst_graph", *arguments]
    env = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=site, env=env, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    for name, source in PACKS.items():
        install(site, name, source)
    return site


def test_broken_packs_are_left_out_with_one_warning_each_and_the_rest_works(packs: Path) -> None:
    done = nst(packs, "nodes", "--json")
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    for name, reason in {
        "pack 'absent'": "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        "pack 'leaves'": "SystemExit: 3",
        "pack 'slip'": "SyntaxError",
        "pack 'empty'": "NODE_CLASS_MAPPINGS",
        "'Odd' of pack 'undescribed'": "KeyError",
        "'LoadImage' of pack 'taken'": "has a node of that name",
    }.items():
        [told] = [line for line in warnings if name in line]
        assert "is left out" in told and reason in told
    assert len(warnings) == 6 and "\x1b" not in done.stderr

    known = json.loads(done.stdout)  # and nothing of what packs printed
    assert {"Nice", "NiceTwo", "LoadImage", "Optimize"} <= known.keys() and "Odd" not in known
    assert known["Nice"]["display_name"] == "Very nice"
    assert known["LoadImage"]["python_module"].startswith("nst_graph.")
    assert known["LoadImage"]["display_name"] != "stolen"


def test_a_graph_is_checked_beside_broken_packs(packs: Path) -> None:
    done = nst(packs, "check", "quickstart")
    assert done.returncode == 0 and "ready to run" in done.stdout


def test_the_node_pack_of_the_readme_works_in_a_graph(tmp_path: Path) -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    [source] = [text for kind, text in blocks if kind == "python" and "NODE_CLASS" in text]
    [announced] = [text for kind, text in blocks if kind == "toml" and "nst_graph.nodes" in text]
    name = re.search(r"(\w+) = \"(\w+)\"", announced)
    assert name is not None and name[1] == name[2]
    install(tmp_path, name[1], source)
    (tmp_path / "g.json").write_text(
        """{"1": {"class_type": "LoadImage", "inputs": {"image": "nst_harbour.jpg"}},
        "2": {"class_type": "Posterize", "inputs": {"image": ["1", 0], "levels": 2}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}}}"""
    )
    done = nst(tmp_path, "run", "g.json")
    assert done.returncode == 0, done.stderr
    from PIL import Image

    with Image.open(done.stdout.strip()) as picture:
        colours = picture.convert("RGB").getcolors(1000)
    assert colours is not None and len(colours) <= 8
    assert {channel for _, colour in colours for channel in colour} <= {0, 255}
