"""A run folded from its log: pure, bounded, and not to be upset by anything in the log."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeRun
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph import events
from nst_graph.tui.governor import BUDGET, Governor
from nst_graph.tui.series import TOTAL, Track, smooth
from nst_graph.tui.state import Pace, RunState
from nst_graph.tui.tail import Follower

ID = "20261123-100000-fake-0001"


def state_of(fake: FakeRun) -> RunState:
    follower = Follower(fake.run.log)
    while follower.behind:
        follower.poll()
    return follower.state


# -- curves as arrays --------------------------------------------------------------------------


def test_a_track_returns_what_was_appended() -> None:
    track = Track()
    for step in range(1, 101):
        track.append(step, step * 0.5, step * 2, step + 0.25, {"a": step, "b": -step})
    assert track.names == [TOTAL, "a", "b"]
    assert np.array_equal(track.x("step"), np.arange(1, 101))
    assert np.array_equal(track.x("time"), np.arange(1, 101) / 2)
    assert np.array_equal(track.x("evaluations"), np.arange(1, 101) * 2)
    assert np.array_equal(track.last(TOTAL), np.arange(1, 101) + 0.25)
    assert np.array_equal(track.low("b"), -np.arange(1, 101))


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=300),
    st.integers(4, 40),
)
def test_merging_rows_keeps_the_extremes_and_every_bad_value(
    values: list[float], capacity: int
) -> None:
    track = Track(capacity=64 + capacity)
    for repeat in range(3):
        for index, value in enumerate(values):
            track.append(repeat * len(values) + index, 0, 0, value, {"a": value})
    assert track.size <= 64 + capacity
    finite = [value for value in values if math.isfinite(value)]
    for name in track.names:
        if finite:
            assert np.nanmin(track.low(name)) == min(finite)
            assert np.nanmax(track.high(name)) == max(finite)
        else:
            assert np.isnan(track.low(name)).all()
        assert track.bad(name).any() == (len(finite) < len(values))


def test_totals_folded_into_a_step_widen_its_range() -> None:
    track = Track()
    track.append(1, 0, 0, 5.0, {}, low=2.0, high=9.0)
    track.append(2, 0, 0, 5.0, {}, low=math.nan, high=6.0)
    assert track.low(TOTAL).tolist() == [2.0, 5.0]
    assert track.high(TOTAL).tolist() == [9.0, 6.0]
    assert track.bad(TOTAL).tolist() == [False, True]


def test_going_back_to_a_checkpoint_forgets_what_came_after_it() -> None:
    track = Track()
    for step in range(1, 50):
        track.append(step, 0, 0, float(step), {})
    track.append(30, 0, 0, -1.0, {})
    assert track.size == 30
    assert track.last(TOTAL)[-2:].tolist() == [29.0, -1.0]


def test_a_term_that_appears_later_has_no_values_before() -> None:
    track = Track()
    track.append(1, 0, 0, 1.0, {"a": 1.0})
    track.append(2, 0, 0, 1.0, {"b": 2.0})
    assert np.isnan(track.last("b")[0]) and track.last("b")[1] == 2.0
    assert not track.bad("a").any() and not track.bad("b").any()


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=300),
    st.sampled_from([0.0, 0.6, 0.9, 0.99]),
)
def test_smoothing_equals_the_plain_recursion(values: list[float], weight: float) -> None:
    expected, average = [], math.nan
    for value in values:
        if not math.isnan(value):
            average = value if math.isnan(average) else weight * average + (1 - weight) * value
        expected.append(average if weight else value)
    found = smooth(np.array(values, dtype=float), weight)
    np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=1e-9, atol=1e-6)


# -- the state ---------------------------------------------------------------------------------


def test_the_log_tells_the_state_of_a_run() -> None:
    fake = FakeRun(ID)
    assert state_of(fake).state == "queued"
    fake.start()
    assert state_of(fake).state == "running"
    fake.emit(events.Paused())
    assert state_of(fake).state == "paused"
    fake.emit(events.Resumed())
    assert state_of(fake).state == "running"
    for status in ("done", "failed", "stopped"):
        fake.emit(events.RunFinished(status))
        assert state_of(fake).state == status


def test_nodes_have_states_times_and_messages() -> None:
    fake = FakeRun(ID).start()
    fake.emit(events.NodeCached("1"))
    fake.emit(events.NodeFailed("4", "the loss is not finite"))
    fake.emit(events.NodeSkipped("9", "4"))
    state = state_of(fake)
    assert state.order == ["1", "2", "3", "4", "9"]
    found = {node: known.state for node, known in state.nodes.items()}
    assert found == {"1": "cached", "2": "done", "3": "done", "4": "failed", "9": "skipped"}
    assert state.failure == "the loss is not finite"


def test_speed_and_time_left_follow_the_steps() -> None:
    state = state_of(FakeRun(ID, steps=100).start().step(20))
    found = state.optimisations["4"]
    assert found.pace.rate == pytest.approx(10, rel=1e-6)
    assert found.eta == pytest.approx(8, rel=1e-6)


def test_no_speed_is_told_before_five_steps() -> None:
    assert state_of(FakeRun(ID).start().step(4)).optimisations["4"].eta is None


def test_the_pace_is_a_moving_average_over_steps() -> None:
    pace, expected = Pace(), 0.0
    for index, seconds in enumerate([1.0, 2.0, 0.5, 4.0, 1.0, 1.0]):
        pace.add(seconds, 1)
        expected = seconds if index == 0 else expected + 0.1 * (seconds - expected)
    assert pace.seconds_per_step == pytest.approx(expected)
    one, two = Pace(), Pace()
    for _ in range(5):
        one.add(3.0, 1)
    two.add(15.0, 5)
    assert one.seconds_per_step == pytest.approx(two.seconds_per_step)


def test_changed_weights_and_new_scales_are_marked() -> None:
    fake = FakeRun(ID, steps=100).start().step(30).change(7e5).step(40)
    state = state_of(fake)
    assert state.weights == {("3", "weight"): 7e5}
    marks = [(mark.step, mark.kind) for mark in state.optimisations["4"].marks]
    assert marks == [(30, "weight"), (51, "scale")]


def test_a_replayed_change_is_marked_once() -> None:
    fake = FakeRun(ID).start().step(30).change(2e5)
    fake.weights["style"] = 1e5
    fake.change(2e5)
    assert len(state_of(fake).optimisations["4"].marks) == 1


def test_a_term_leads_to_its_node_even_where_titles_repeat() -> None:
    state = RunState()
    titles = {"1": "style", "2": "style", "3": "content", "4": "odd #2"}
    state.apply(events.RunStarted("r", list(titles), titles, {}))
    assert state.term_node("content") == "3"
    assert state.term_node("style #2") == "2"
    assert state.term_node("odd #2") == "4"
    assert state.term_node("style") is None
    assert state.term_node("total variation") is None


def test_the_weight_in_force_is_weighted_over_raw() -> None:
    found = state_of(FakeRun(ID, weight=3e4).start().step(1)).optimisations["4"]
    assert found.weight_ratio("style") == pytest.approx(3e4)
    assert found.weight_ratio("unknown") is None


def test_a_run_that_goes_on_keeps_its_curves() -> None:
    fake = FakeRun(ID, steps=100).start().step(40)
    fake.at = 30
    fake.start().step(5)
    state = state_of(fake)
    assert state.optimisations["4"].track.x("step").tolist() == list(range(1, 36))
    assert state.state == "running"


def test_previews_of_forgotten_steps_are_forgotten() -> None:
    fake = FakeRun(ID).start()
    for _ in range(4):
        fake.step(10, preview=True)
    fake.at = 15
    fake.step(5, preview=True)
    steps = [step for step, _ in state_of(fake).optimisations["4"].previews]
    assert steps == [10, 20]


_numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**30), 10**30)
_texts = st.text(max_size=8) | st.sampled_from(["1", "4", "style", "done", "paused"])
_values = (
    _numbers
    | _texts
    | st.none()
    | st.booleans()
    | st.lists(_texts, max_size=3)
    | st.dictionaries(_texts, _numbers | _texts, max_size=3)
)
_fields = [
    *("time", "node", "step", "steps", "scale", "scales", "seconds", "evaluations", "total"),
    *("losses", "raw", "low", "high", "nodes", "titles", "classes", "path", "message", "status"),
    *("outputs", "command", "ok", "old", "new", "input", "rss", "cpu", "gpu", "error", "because"),
]
_kinds = sorted(cls.__name__ for cls in events.Event.__subclasses__())


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_kinds),
            st.dictionaries(st.sampled_from(_fields), _values, max_size=8),
        ),
        max_size=12,
    )
)
def test_no_log_can_upset_the_state(lines: list[tuple[str, dict[str, object]]]) -> None:
    state = RunState()
    for kind, given_fields in lines:
        event = events.from_json(json.dumps({"event": kind, **given_fields}))
        if event is not None:
            state.apply(event)
    assert state.state in ("queued", "running", "paused", "done", "failed", "stopped")
    assert state.seconds >= 0
    for found in state.optimisations.values():
        assert (np.diff(found.track.x("step")) > 0).all()
        assert found.eta is None or found.eta >= 0


# -- following ---------------------------------------------------------------------------------


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    line = events.to_json(events.Note("hello")).encode()
    log.write_bytes(line[:10])
    follower = Follower(log)
    follower.poll()
    assert not follower.state.lines
    log.write_bytes(line + b"\n")
    follower.poll()
    assert [entry.text for entry in follower.state.lines] == ["hello"]


def test_a_log_begun_anew_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text("".join(events.to_json(events.Note(f"old {i}")) + "\n" for i in range(50)))
    follower = Follower(log)
    follower.poll()
    assert len(follower.state.lines) == 50
    log.write_text(events.to_json(events.Note("new")) + "\n")
    follower.poll()
    assert [entry.text for entry in follower.state.lines] == ["new"]


def test_another_file_of_the_same_name_is_read_anew(tmp_path: Path) -> None:
    log, other = tmp_path / "events.jsonl", tmp_path / "other"
    log.write_text(events.to_json(events.Note("short")) + "\n")
    follower = Follower(log)
    follower.poll()
    other.write_text("".join(events.to_json(events.Note(f"{i}")) + "\n" for i in range(9)))
    other.replace(log)
    follower.poll()
    assert [entry.text for entry in follower.state.lines] == [str(i) for i in range(9)]


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "none")
    assert not follower.poll()
    assert not follower.behind
    assert follower.share == 1.0


def test_a_long_log_is_read_in_slices(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    step = events.Step("4", 1, 10**6, losses={"a": 1.0}, raw={"a": 1.0})
    line = events.to_json(step)
    log.write_text("".join(line.replace('"step":1', f'"step":{i}') + "\n" for i in range(1, 4001)))
    follower = Follower(log)
    follower.poll(seconds=0)
    first = follower.state.optimisations["4"].step.step
    assert first < 4000 and follower.behind and 0 < follower.share < 1
    while follower.behind:
        follower.poll(seconds=0)
    assert follower.state.optimisations["4"].step.step == 4000
    assert follower.share == 1


# -- the governor ------------------------------------------------------------------------------


def test_the_governor_stretches_the_interval_on_a_busy_line_and_comes_back() -> None:
    now = [0.0]
    governor = Governor(clock=lambda: now[0])
    intervals = []
    for _ in range(300):
        now[0] += 0.1
        governor.wrote(BUDGET // 5)  # twice the budget
        intervals.append(governor.interval)
    assert intervals[0] == 0.5 and max(intervals) == 4.0
    assert sorted(intervals) == intervals
    assert not governor.pictures
    for _ in range(300):
        now[0] += 0.1
        last = governor.interval
    assert last == 0.5 and governor.pictures and governor.rate == 0


def test_the_base_interval_goes_round() -> None:
    governor = Governor()
    assert [governor.slower() for _ in range(4)] == [1.0, 2.0, 4.0, 0.5]
