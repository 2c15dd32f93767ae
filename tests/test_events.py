"""The log is the one interface to every screen: what is written comes back, whatever else is."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst_graph import events
from nst_graph.events import Event, LogReader, from_json, to_json
from nst_graph.files import Appender

TEXT = st.text(max_size=8)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "int": st.integers(-(2**53), 2**53),
    "int | None": st.none() | st.integers(0, 2**53),
    "float": st.floats(),
    "float | None": st.none() | st.floats(),
    "bool": st.booleans(),
    "list[str]": st.lists(TEXT, max_size=3),
    "dict[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "dict[str, float]": st.dictionaries(TEXT, st.floats(), max_size=3),
}


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(Event.__subclasses__()))
    return kind(**{f.name: draw(BY_TYPE[str(f.type)]) for f in fields(kind)})


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return bool(a == b)


@given(any_event())
def test_an_event_survives_its_line_in_the_log(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line and line.isascii()
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    back = from_json(line)
    assert type(back) is type(event)
    assert same(vars(back), vars(event))


@given(any_event(), st.data())
def test_a_mutated_line_is_an_event_or_nothing_but_never_an_error(event: Event, data: Any) -> None:
    line = bytearray(to_json(event).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    from_json(bytes(line))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(Event.__subclasses__()), st.data())
def test_any_json_in_any_field_is_an_event_or_nothing(kind: type[Event], data: Any) -> None:
    line = {"event": kind.__name__, **{f.name: data.draw(JSON) for f in fields(kind)}}
    found = from_json(json.dumps(line))
    if found is not None:
        to_json(found)


def test_unknown_kinds_and_fields_are_skipped() -> None:
    assert from_json('{"event": "Teleported", "node": "3"}') is None
    assert from_json('{"event": "NodeStarted", "node": "3", "mood": "good"}') is not None
    for line in ("", "null", "[]", '"x"', "{}", "[" * 5000, '{"event": ["Step"]}'):
        assert from_json(line) is None


def test_every_kind_the_design_names_exists() -> None:
    named = set(
        "RunStarted NodeStarted NodeCached Step Preview Note NodeFinished NodeFailed "  # noqa: SIM905
        "NodeSkipped RunFinished Paused Resumed Changed Checkpoint Heartbeat Ack".split()
    )
    assert {kind.__name__ for kind in Event.__subclasses__()} == named


def test_a_reader_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = LogReader(path)
    assert reader.read() == []
    line = to_json(events.NodeStarted("1", time=1.0))
    path.write_text(line[:10])
    assert reader.read() == []
    path.write_text(line + "\n")
    assert reader.read() == [events.NodeStarted("1", time=1.0)]


def test_a_writer_starts_a_new_line_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(to_json(events.NodeStarted("1")) + '\n{"event": "Ste')
    append = Appender(path)
    append(to_json(events.NodeStarted("2")))
    append.close()
    nodes = [
        event.node for event in LogReader(path).read() if isinstance(event, events.NodeStarted)
    ]
    assert nodes == ["1", "2"]


def test_a_line_that_did_not_fit_on_the_disk_is_told_and_costs_no_other_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Appender(tmp_path / "events.jsonl")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda to, data: write(to, data[:7]))
        with pytest.raises(OSError, match="No space left"):
            append(to_json(events.NodeStarted("1")))
    append(to_json(events.NodeStarted("2")))
    append.close()
    found = [to_json(e) for e in LogReader(tmp_path / "events.jsonl").read()]
    assert len(found) == 1 and '"node":"2"' in found[0]


def test_a_reader_starts_again_when_the_log_was_truncated(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(to_json(events.NodeStarted(str(i))) + "\n" for i in range(5)))
    reader = LogReader(path)
    assert len(reader.read()) == 5
    path.write_text(to_json(events.NodeStarted("new")) + "\n")
    assert len(reader.read()) == 1 and reader.restarted


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_pieces_of_any_size_give_every_event_once(tmp_path: Path, pieces: list[int]) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    content = "".join(to_json(events.NodeStarted(str(i))) + "\n" for i in range(4)).encode()
    reader, seen, written = LogReader(path), [], 0
    for size in [*pieces, len(content)]:
        with path.open("ab") as file:
            file.write(content[written : written + size])
        written = min(written + size, len(content))
        seen += reader.read()
    assert [vars(event)["node"] for event in seen] == ["0", "1", "2", "3"]
