"""Sweeps: which variants are meant, and that shared work is done once."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.cli import main
from nst_graph.errors import UserError
from nst_graph.sweep import Axis, cells, parse_axes
from nst_graph.values import History, HistoryPoint

from_pack: Any = sys.modules["pack"]
node, save = from_pack.node, from_pack.save


def kind(_: str, name: str) -> str:
    types = {"weight": "FLOAT", "steps": "INT", "image": "PICTURE", "layers": "STRING"}
    return types.get(name, "COMBO")


def values(text: str) -> tuple[str, ...]:
    (axis,) = parse_axes([text], kind, ["a.jpg", "b.jpg", "c.png"])
    return axis.values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("style.weight=1e4,1e5,1e6", ("1e4", "1e5", "1e6")),
        ("style.weight=1..3:3", ("1", "2", "3")),
        ("style.weight=1e2..1e4:3:log", ("100", "1000", "10000")),
        ("opt.steps=10..20:3", ("10", "15", "20")),
        ("opt.optimizer=adam, lbfgs", ("adam", "lbfgs")),
        ("style.image=*.jpg", ("a.jpg", "b.jpg")),
        ("style.image=c.png,*.jpg", ("c.png", "a.jpg", "b.jpg")),
        ("f.layers=relu1_1,relu2_1", ("relu1_1,relu2_1",)),
        ('f.layers=["relu1_1,relu2_1", "relu3_1"]', ("relu1_1,relu2_1", "relu3_1")),
        ("a.b.weight=1,1,2", ("1", "2")),
    ],
)
def test_values_are_lists_ranges_globs_or_json(text: str, expected: tuple[str, ...]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("style.weight", "not NODE.INPUT=VALUES"),
        ("weight=1,2", "not NODE.INPUT=VALUES"),
        ("style.weight=", "no values"),
        ("style.weight=0..1:3:log", "positive ends"),
        ("style.weight=1..2:1", "2 to"),
        ("style.weight=a..b:3", "START..STOP"),
        ("style.image=*.tif", "no picture matches"),
        ("f.layers=[1", "not a JSON list"),
    ],
)
def test_what_cannot_be_a_list_of_values_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        values(text)


def test_a_repeated_input_is_one_axis() -> None:
    axes = parse_axes(["f.layers=relu1_1", "f.layers=relu2_1,relu3_1"], kind)
    assert axes == [Axis("f", "layers", ("relu1_1", "relu2_1,relu3_1"))]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 300))
def test_the_product_has_every_combination_once_and_a_sample_is_part_of_it(
    lengths: list[int], sample: int
) -> None:
    axes = [
        Axis("n", f"i{index}", tuple(map(str, range(length))))
        for index, length in enumerate(lengths)
    ]
    everything = cells(axes)
    assert len(everything) == len(set(everything)) == math.prod(lengths)
    some = cells(axes, sample=sample, seed=3)
    assert set(some) <= set(everything)
    assert len(some) == (min(sample, len(everything)) if sample else len(everything))
    assert some == cells(axes, sample=sample, seed=3)


def test_axes_side_by_side_need_equal_lengths() -> None:
    axes = [Axis("n", "a", ("1", "2")), Axis("n", "b", ("3", "4"))]
    assert [cell.overrides for cell in cells(axes, zipped=True)] == [
        (("n.a", "1"), ("n.b", "3")),
        (("n.a", "2"), ("n.b", "4")),
    ]
    with pytest.raises(UserError, match=r"n\.a has 2, n\.b has 3"):
        cells([axes[0], Axis("n", "b", ("3", "4", "5"))], zipped=True)


def test_an_axis_of_one_value_holds_it_side_by_side_with_the_others() -> None:
    axes = [Axis("n", "a", ("1", "2")), Axis("n", "b", ("3",))]
    assert [dict(cell.overrides) for cell in cells(axes, zipped=True)] == [
        {"n.a": "1", "n.b": "3"},
        {"n.a": "2", "n.b": "3"},
    ]


def test_a_label_says_what_differs_and_no_more() -> None:
    size, style = Axis("opt", "size", ("96",)), Axis("style", "weight", ("1", "3"))
    content = Axis("content", "weight", ("5", "6"))
    assert [cell.label for cell in cells([size, style])] == ["weight=1", "weight=3"]
    assert cells([size, style, content])[1].label == "style.weight=1  content.weight=6"
    assert cells([size])[0].label == "size=96"


def test_a_slip_of_the_keyboard_is_refused() -> None:
    wide = [Axis("n", f"i{i}", tuple(map(str, range(100)))) for i in range(3)]
    with pytest.raises(UserError, match="1000000 variants"):
        cells(wide)
    assert len(cells(wide, sample=5)) == 5


def test_a_sweep_shares_what_its_variants_share(
    engine_pack: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = save(
        tmp_path / "g.json",
        n1=node("Number", value=5),
        n2=node("Weight", "slope", weight=1.0),
        n3=node("Climb", loss_1=("2", 0), steps=5),
        n4=node("Add", a=("1", 0), b=("3", 0)),
        n5=node("Write", a=("4", 0)),
    )
    code = main(["sweep", str(graph), "--set", "slope.weight=1,2,3", "--set", "3.steps=4,8"])
    assert code == 0
    ran = engine_pack.CALLS
    assert ran.count("Number 5") == 1 and ran.count("Weight") == 3 and ran.count("Climb") == 6
    (table,) = capsys.readouterr().out.split()
    rows = list(csv.DictReader(Path(table).read_text().splitlines()))
    assert len(rows) == 6
    assert {(row["slope.weight"], row["3.steps"]) for row in rows} == {
        (w, s) for w in "123" for s in "48"
    }
    assert all(row["state"] == "done" and float(row["total"]) > 0 for row in rows)
    engine_pack.CALLS.clear()
    main(["sweep", str(graph), "--set", "slope.weight=1,2,3", "--set", "3.steps=4,8"])
    assert engine_pack.CALLS == [], "the same sweep again runs nothing"


class Course:
    """Ends with losses that only its history tells, as one that was stored already does."""

    RETURN_TYPES = ("NST_HISTORY",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"weight": ("FLOAT", {"default": 1.0})}}

    def run(self, weight: float) -> tuple[History]:
        points = tuple(HistoryPoint(s, 1, 0.0, weight / s, (weight / s / 4,)) for s in (1, 2))
        return (History(("style",), points),)


def test_the_table_has_the_losses_of_variants_that_were_stored_already(
    engine_pack: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(engine_pack.CLASSES, "Course", Course)
    graph = save(tmp_path / "g.json", n1=node("Course"))
    for expected in ("g_sweep.csv", "g_sweep_2.csv"):
        assert main(["sweep", str(graph), "--set", "1.weight=8,16"]) == 0
        (table,) = capsys.readouterr().out.split()
        assert Path(table).name == expected
        rows = list(csv.DictReader(Path(table).read_text().splitlines()))
        assert [(row["total"], row["style"]) for row in rows] == [("4.0", "1.0"), ("8.0", "2.0")]


def test_a_wrong_value_anywhere_is_found_before_anything_runs(
    engine_pack: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = save(
        tmp_path / "g.json",
        n1=node("Weight", "slope"),
        n2=node("Climb", loss_1=("1", 0)),
        n3=node("Write", a=("2", 0)),
    )
    assert main(["sweep", str(graph), "--set", "slope.weight=1,2,99"]) == 2
    assert engine_pack.CALLS == []
    assert "99" in capsys.readouterr().err
