"""The shipped graphs: each is sound, says what it is, and runs; the old recipes to the letter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nst_graph.cli import main
from nst_graph.document import read, shipped_graphs

GRAPHS = shipped_graphs()
PRESETS = [name for name in GRAPHS if name.startswith("presets/")]
NOTEBOOKS = ("original/building", "original/football", "original/girl")
ROLES = {"content", "style_image", "content_loss", "style", "optimize", "save"}
MANY_PICTURES = ("showcase/interpolation", "showcase/stroke-sizes", "showcase/timelapse")
SIDE = 64


def nodes(name: str) -> dict[str, dict[str, Any]]:
    return read(GRAPHS[name]).nodes


def by_title(name: str) -> dict[str, dict[str, Any]]:
    return {node["_meta"]["title"]: node for node in nodes(name).values()}


def small(graph: Mapping[str, Mapping[str, Any]], steps: int = 2) -> list[str]:
    """``--set`` arguments that make any graph run within a second with the shipped encoder."""
    values: list[str] = []
    for node, data in graph.items():
        kind, inputs = data["class_type"], data["inputs"]
        if kind == "Optimize":
            values += [f"{node}.steps={steps}", f"{node}.size={SIDE}", f"{node}.scale_steps="]
            values += [f"{node}.scales={min(inputs.get('scales', 1), 2)}"]
        elif kind == "VGGFeatures":
            values += [f"{node}.encoder=compact"]
        elif kind == "NSTResize":
            values += [f"{node}.{side}={SIDE}" for side in ("width", "height") if inputs.get(side)]
        elif kind == "NSTTimelapse":
            values += [f"{node}.fade=0"]
        elif kind == "NSTTotalVariation" and inputs["reduction"] == "sum":
            # Meant for a network whose activations are in the hundreds; here it would be all.
            values += [f"{node}.weight=0"]
    return [word for value in values for word in ("--set", value)]


def run(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[Path]:
    output = tmp_path / "output"
    words = ["run", name, *small(nodes(name)), "--output-dir", str(output), "--threads", "1"]
    code = main([*words, *more])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return [Path(line) for line in printed.out.splitlines()]


# -- all of them


@pytest.mark.parametrize("name", GRAPHS)
def test_a_shipped_graph_is_sound(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", name]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in MANY_PICTURES else n for n in GRAPHS]
)
def test_a_shipped_graph_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = run(name, tmp_path, capsys)
    assert paths
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            low, high = zip(*picture.convert("RGB").getextrema(), strict=True)
            assert max(high) - min(low) > 2, f"{path.name} is uniform"


@pytest.mark.parametrize("name", GRAPHS)
def test_titles_are_unique_so_that_they_can_be_used_with_set(name: str) -> None:
    titles = [node["_meta"]["title"] for node in nodes(name).values()]
    assert len(titles) == len(set(titles))
    assert all(title.isidentifier() for title in titles), titles


@pytest.mark.parametrize("name", [*PRESETS, "quickstart", *NOTEBOOKS])
def test_a_recipe_can_be_given_other_pictures_and_weights_by_title(name: str) -> None:
    assert set(by_title(name)) >= ROLES
    assert by_title(name)["style"]["class_type"] == "StyleLoss"
    assert by_title(name)["content_loss"]["class_type"] == "ContentLoss"
    assert by_title(name)["optimize"]["class_type"] == "Optimize"


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "quickstart"])
def test_a_graph_says_where_it_comes_from_in_one_note(name: str) -> None:
    notes = [node["_meta"]["note"] for node in nodes(name).values() if "note" in node["_meta"]]
    assert len(notes) == 1
    assert len(notes[0]) > 30
    for node in nodes(name).values():
        assert set(node) == {"class_type", "inputs", "_meta"}


def test_shipped_graphs_use_nothing_but_the_shipped_pictures() -> None:
    samples = Path(GRAPHS["quickstart"]).parent / "samples"
    for name in GRAPHS:
        for node in nodes(name).values():
            if "image" in node["inputs"] and isinstance(node["inputs"]["image"], str):
                assert (samples / node["inputs"]["image"]).is_file(), name


# -- the original notebooks (soumyajit4419/Neural_Style_Transfer)

SHARED = {
    "content_size": {"fit": "stretch", "width": 500, "height": 400, "filter": "bilinear"},
    "style_size": {"fit": "stretch", "width": 500, "height": 400, "filter": "bilinear"},
    "content_features": {
        "encoder": "vgg19",
        "layers": "relu4_2",
        "pooling": "max",
        "padding": "zeros",
        "transform": "raw01",
    },
    "style_features": {
        "encoder": "vgg19",
        "layers": "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1",
        "pooling": "max",
        "padding": "zeros",
        "transform": "raw01",
    },
    "content_loss": {"weight": 1.0, "layers": "relu4_2", "metric": "mse"},
    "style": {"kind": "gram", "normalization": "original"},
    "optimize": {
        "size": 0,
        "optimizer": "adam",
        "adam_beta2": 0.999,
        "scales": 1,
        "init": "image",
        "average": 0.0,
        "tv_weight": 0.0,
        "clamp": False,
        "precision": "fp32",
    },
    "save": {"format": "jpeg", "bits": 8, "quality": 75, "icc": False},
}


@pytest.mark.parametrize(
    ("name", "layer_weights", "style", "rate", "steps"),
    [
        ("building", (0.9, 0.72, 0.2, 0.2, 0.2), 1e1, 0.003, 2000),
        ("football", (1.0, 0.75, 0.2, 0.2, 0.2), 1e5, 0.002, 4000),
        ("girl", (1.0, 0.75, 0.2, 0.2, 0.2), 1e5, 0.002, 4000),
    ],
)
def test_a_notebook_recipe_is_the_notebook_to_the_letter(
    name: str, layer_weights: tuple[float, ...], style: float, rate: float, steps: int
) -> None:
    found = by_title(f"original/{name}")
    for title, expected in SHARED.items():
        assert expected.items() <= found[title]["inputs"].items(), title
    assert found["style"]["inputs"]["weight"] == style
    given = found["style"]["inputs"]["layer_weights"].replace("=", " ").replace(",", " ").split()
    assert given[::2] == ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    assert tuple(map(float, given[1::2])) == layer_weights
    assert found["optimize"]["inputs"]["learning_rate"] == rate
    assert found["optimize"]["inputs"]["steps"] == steps
    losses = [key for key in found["optimize"]["inputs"] if key.startswith("loss_")]
    assert losses == ["loss_1", "loss_2"]


def test_the_first_loss_of_a_notebook_recipe_is_that_of_its_formulas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Content 0 (begun with it); style β Σ w_l mean((G - A)²) / (C h w) on raw 0..1 pixels."""
    from nst_graph.style.encoder import load_encoder
    from nst_graph.values import EncoderChoice

    (saved,) = run("original/building", tmp_path, capsys)
    assert saved.suffix == ".jpg"
    words = ["run", "original/building", *small(nodes("original/building")), "--json", "--force"]
    assert main([*words, "--output-dir", str(tmp_path / "again"), "--threads", "1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first = next(event for event in events if event["event"] == "Step" and event["step"] == 1)

    encoder = load_encoder(
        EncoderChoice("compact", pooling="max", padding="zeros", transform="raw01"), tmp_path
    )
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    taps = []
    for title in ("content", "style_image"):
        path = GRAPHS["quickstart"].parent / "samples"
        path = path / by_title("original/building")[title]["inputs"]["image"]
        with Image.open(path) as picture:  # Resize((400, 500)) of the notebooks, at our tiny size
            small_picture = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        x = torch.tensor(list(small_picture.tobytes()), dtype=torch.float32) / 255
        taps.append(encoder(x.view(1, SIDE, SIDE, 3).movedim(-1, 1), layers))
    total = 0.0
    for layer, weight in zip(layers, (0.9, 0.72, 0.2, 0.2, 0.2), strict=True):
        f, s = (tap[layer].double()[0].flatten(1) for tap in taps)
        total += 10 * weight * float(((f @ f.T - s @ s.T) ** 2).mean()) / f.numel()
    losses = first["losses"]
    assert losses["content_loss"] == pytest.approx(0, abs=1e-6 * total)
    # The notebook rounds the resized picture to 8 bits, our resizing does not.
    assert losses["style"] == pytest.approx(total, rel=5e-3)
