"""The store keeps what it is given, and never hands out what was damaged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst_graph.errors import UserError
from nst_graph.host import State
from nst_graph.store import Store
from nst_graph.values import (
    ContentTerm,
    EncoderChoice,
    Features,
    Gram,
    Items,
    Loss,
    PixelTerm,
    StyleSource,
    StyleTerm,
)

KEY = "ab" * 32


def recipe() -> Loss:
    image = torch.rand(1, 8, 6, 3)
    features = Features(image, EncoderChoice("compact", "f00"), ("relu1_1", "relu4_2"))
    source = StyleSource(features, 0.5, torch.ones(1, 8, 6))
    return Loss(
        (
            ContentTerm(features, ("relu4_2",), 2.0),
            StyleTerm(Gram((source, source), ("relu1_1",)), 1e5, "wasserstein"),
            PixelTerm("tv", 0.5, options=(("kind", "l2"), ("power", 2.0))),
        )
    )


def test_a_recipe_comes_back_equal_and_its_picture_is_stored_once(tmp_path: Path) -> None:
    loss = recipe()
    Store(tmp_path).put(KEY, (loss, Items((1, 2.5, "x"))), {"text": ["hello"]})
    store = Store(tmp_path)
    entry = store.entry(KEY)
    assert entry is not None and store.intact(entry) and entry.ui == {"text": ["hello"]}
    back, items = store.load(entry)
    assert items.items == (1, 2.5, "x")
    term, before = back.terms[1], loss.terms[1]
    assert (term.weight, term.kind) == (1e5, "wasserstein")
    assert isinstance(before, StyleTerm)
    assert torch.equal(
        term.target.sources[0].features.image, before.target.sources[0].features.image
    )
    assert term.target.sources[0].features.image is back.terms[0].features.image
    assert len(list((tmp_path / "blobs").glob("*/*"))) == 2  # the picture and the mask


def test_asking_for_a_result_does_not_import_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    Store(tmp_path).put(KEY, (torch.rand(2),), {})
    code = (
        "import sys; from pathlib import Path; from nst_graph.store import Store;"
        f"entry = Store(Path({str(tmp_path)!r})).entry({KEY!r});"
        "assert entry is not None and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def stored_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(which=st.integers(0, 99), place=st.floats(0, 1), bit=st.integers(0, 8))
def test_any_flipped_bit_or_truncation_is_noticed(
    tmp_path: Path, which: int, place: float, bit: int
) -> None:
    folder = tmp_path / str(time.monotonic_ns())
    Store(folder).put(KEY, (torch.arange(12.0).reshape(3, 4), recipe()), {})
    paths = sorted(stored_files(folder))
    path = paths[which % len(paths)]
    content = bytearray(path.read_bytes())
    index = min(int(place * len(content)), len(content) - 1)
    if bit < 8:
        content[index] ^= 1 << bit
    else:
        del content[index:]
    path.write_bytes(content)
    store = Store(folder)
    entry = store.entry(KEY)
    assert entry is None or not store.intact(entry)


def test_a_missing_blob_makes_the_result_unusable_not_wrong(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, (torch.rand(3),), {})
    next((tmp_path / "blobs").glob("*/*")).unlink()
    entry = Store(tmp_path).entry(KEY)
    assert entry is not None and not Store(tmp_path).intact(entry)


def test_values_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        Store(tmp_path).put(KEY, (object(),), {})
    assert Store(tmp_path).entry(KEY) is None


@pytest.mark.parametrize("value", [0.0, -0.0, 1e300, float("inf"), float("nan"), 3, "", None, True])
def test_plain_values_come_back_with_their_type(tmp_path: Path, value: Any) -> None:
    store = Store(tmp_path)
    store.put(KEY, (value,), {})
    entry = store.entry(KEY)
    assert entry is not None
    (back,) = store.load(entry)
    assert type(back) is type(value) and (back == value or value != value)


def test_checkpoints_are_found_newest_first_and_thinned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for step in range(10, 310, 10):
        facts = {"step": step, "weights": [1.5]}
        store.save_checkpoint(KEY, step, State({"x": torch.full((3,), float(step))}, facts))
    newest = Store(tmp_path).load_checkpoint(KEY)
    assert newest is not None and newest.facts == {"step": 300, "weights": [1.5]}
    assert torch.equal(newest.tensors["x"], torch.full((3,), 300.0))
    steps = store.checkpoint_steps(KEY)
    assert len(steps) <= 6 and steps[0] == 10 and steps[-1] == 300
    earlier = store.load_checkpoint(KEY, at=299)
    assert earlier is not None and earlier.facts["step"] < 300


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for step in (1, 2):
        store.save_checkpoint(KEY, step, State({"x": torch.ones(2)}, {"step": step}))
    newest = max((tmp_path / "checkpoints").glob("*/*/*"))
    newest.write_bytes(newest.read_bytes()[:-1])
    found = store.load_checkpoint(KEY)
    assert found is not None and found.facts["step"] == 1


def test_pruning_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [f"{i:02x}" * 32 for i in range(6)]
    old = time.time() - 7200
    for key in keys:
        store.put(key, (torch.rand(1000),), {})
    for path in stored_files(tmp_path):
        os.utime(path, (old, old))
    for index, key in enumerate(keys):
        path = tmp_path / "results" / key[:2] / key
        os.utime(path, (old + index, old + index))
    assert store.entry(keys[0]) is not None  # using it makes it the youngest
    store.prune(limit=3 * 4400)
    left = [key for key in keys if store.entry(key) is not None]
    assert left[0] == keys[0] and 1 < len(left) < 6 and left[1:] == keys[-(len(left) - 1) :]
    for key in left:
        entry = store.entry(key)
        assert entry is not None and store.intact(entry)
    assert store.size() <= 3 * 4400


def test_verify_counts_files_and_names_the_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, (torch.rand(5), torch.rand(6)), {})
    assert store.verify() == (3, [])
    path = next((tmp_path / "blobs").glob("*/*"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert store.verify()[1] == [path]


@pytest.mark.parametrize("given", ["abc", "-1", "1.5", "4 GB"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NST_STORE_LIMIT", given)
    with pytest.raises(UserError, match="NST_STORE_LIMIT"):
        Store(tmp_path)


@pytest.mark.parametrize(("given", "limit"), [("0", 0), ("1000", 1000), ("", 4 << 30)])
def test_the_limit_comes_from_the_environment(
    given: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NST_STORE_LIMIT", given)
    assert Store(tmp_path).limit == limit
