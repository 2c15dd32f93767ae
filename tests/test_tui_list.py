"""The list of runs: glimpses, filters, differences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeRun
from hypothesis import given
from hypothesis import strategies as st

from nst_graph import events, files, runs
from nst_graph.errors import UserError
from nst_graph.tui import filters, recorded, theme
from nst_graph.tui.listing import Entry, Listing, glimpse
from nst_graph.tui.widgets.cells import Grid

NOW = 1_764_000_000.0


@pytest.fixture
def held() -> Iterator[list[object]]:
    """Locks to release at the end."""
    locks: list[object] = []
    yield locks
    for lock in locks:
        lock.release()  # type: ignore[attr-defined]


def test_a_glimpse_tells_what_a_whole_reading_would(held: list[object]) -> None:
    fake = FakeRun("20261123-100000-wave-0001", steps=400).start().step(380)
    lock = fake.run.lock()
    lock.acquire()
    held.append(lock)
    entry = glimpse(fake.run)
    whole = runs.summary(fake.run)
    assert (entry.state, entry.step, entry.steps, entry.total) == (
        whole.state,
        whole.step,
        whole.steps,
        whole.total,
    )
    assert entry.state == "running" and entry.step == 380 and entry.terms == 2
    assert entry.rate == pytest.approx(10, rel=1e-6) and entry.eta == pytest.approx(2, rel=1e-6)
    assert entry.name == "wave"


@pytest.mark.parametrize("status", ["done", "failed", "stopped"])
def test_an_ended_run_has_its_last_state(status: str) -> None:
    fake = FakeRun("20261123-100000-wave-0001").start().step(5)
    fake.finish(status)
    assert glimpse(fake.run).state == status


def test_a_run_whose_worker_is_gone_has_crashed_and_says_its_last_words() -> None:
    fake = FakeRun("20261123-100000-wave-0001").start().step(5)
    files.write(fake.run.worker_log, b"loading\nKilled: out of memory\n")
    entry = glimpse(fake.run)
    assert entry.state == "crashed" and entry.message == "Killed: out of memory"


def test_a_run_made_just_now_waits_for_its_worker() -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    fresh = runs.RunFolder(runs.runs_folder() / f"{stamp}-new-0001")
    files.write(fresh.graph, b"{}")
    assert glimpse(fresh).state == "queued"
    old = runs.RunFolder(runs.runs_folder() / "20200101-000000-old-0001")
    files.write(old.graph, b"{}")
    assert glimpse(old).state == "crashed"


def test_a_paused_run_is_known_behind_many_heartbeats(held: list[object]) -> None:
    fake = FakeRun("20261123-100000-wave-0001").start().step(9)
    fake.emit(events.Paused())
    for _ in range(600):
        fake.beat()
    lock = fake.run.lock()
    lock.acquire()
    held.append(lock)
    entry = glimpse(fake.run)
    assert entry.state == "paused" and entry.step == 9


def test_the_listing_follows_new_changed_and_removed_runs() -> None:
    now = [0.0]
    listing = Listing(clock=lambda: now[0])

    def look() -> None:
        now[0] += 2.5
        listing.refresh()
        while listing.behind:
            listing.refresh()

    first = FakeRun("20261123-100000-one-0001").start().step(5)
    look()
    assert {k: e.state for k, e in listing.entries.items()} == {first.run.id: "crashed"}
    first.finish()
    second = FakeRun("20261123-100001-two-0002").start().step(5)
    second.finish("failed")
    look()
    states = {entry.name: entry.state for entry in listing.entries.values()}
    assert states == {"one": "done", "two": "failed"}
    files.move(first.run.path, runs.runs_folder() / ".trash" / first.run.id)
    look()
    assert list(listing.entries) == [second.run.id]


def test_hundreds_of_runs_are_read_a_few_at_a_time() -> None:
    for index in range(30):
        FakeRun(f"20261123-1000{index:02d}-many-{index:04x}").start().step(3).finish()
    ticks = iter(range(10_000))
    listing = Listing(clock=lambda: next(ticks) * 0.01)
    listing.refresh(seconds=0.02)
    assert 0 < len(listing.entries) < 30 and listing.behind
    newest = next(iter(listing.entries))
    assert newest == max(run.id for run in runs.list_runs())


# -- filters ---------------------------------------------------------------------------------------


def entry(**given: object) -> Entry:
    name = str(given.pop("name", "wave"))
    run = runs.RunFolder(Path(f"/runs/20261123-100000-{name}-ab12"))
    return Entry(run, created=NOW - 3600, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("wave", True),
        ("wv", True),
        ("vw", False),
        ("state:failed", True),
        ("state:done", False),
        ("state:fail name:wa", True),
        ("loss<1e5", True),
        ("loss<=4.2e4", True),
        ("loss<4.2e4", False),
        ("loss>1e5", False),
        ("step=17", True),
        ("steps>=1000", True),
        ("time>10m", False),
        ("time>30s", True),
        ("age<2h", True),
        ("age>1d", False),
        ("eta<1h", False),
        ("id:ab12", True),
        ("ab12", True),
        ("STATE:Failed", True),
        ("state:failed loss<1e5 wave", True),
        ("state:failed loss>1e5 wave", False),
        ("message:finite", True),
    ],
)
def test_filters_are_words_and_conditions(text: str, fits: bool) -> None:
    run = entry(
        state="failed",
        step=17,
        steps=1000,
        total=4.2e4,
        seconds=33.0,
        message="the loss is not finite",
    )
    assert filters.parse(text, NOW)(run) is fits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lss<3", "no field 'lss'; there are"),
        ("loss<abc", "'abc' is not a number"),
        ("loss:3", "loss is a number"),
        ("state<3", "state is text"),
    ],
)
def test_a_wrong_filter_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        filters.parse(text)


@given(st.text(max_size=40))
def test_a_filter_is_understood_or_refused_but_never_breaks(text: str) -> None:
    try:
        test = filters.parse(text)
    except UserError:
        return
    assert test(entry()) in (True, False)


# -- what a graph records --------------------------------------------------------------------------


def test_only_the_inputs_that_differ_are_listed() -> None:
    one = recorded.nodes(FakeRun("20261123-100000-a-0001", weight=1e5).run.graph)
    two = recorded.nodes(FakeRun("20261123-100000-b-0002", weight=3e4, steps=50).run.graph)
    rows = dict(recorded.differences([one, two]))
    assert rows == {
        "style #3.weight": ("100000", "30000"),
        "paint #4.steps": ("100", "50"),
    }
    assert len(recorded.differences([one, two], everything=True)) == 4
    assert recorded.differences([one, one]) == []
    assert dict(recorded.differences([one, {}]))["paint #4.steps"] == ("100", recorded.MISSING)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"1": 3}', b'{"1": {"inputs": 3}}', b"\xff"]
)
def test_a_graph_that_is_none_has_no_nodes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.json"
    path.write_bytes(content)
    assert recorded.nodes(path) == {}


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "", "a\0b", "previews"])
def test_a_preview_outside_its_run_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run"
    (folder / "previews").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(b"x")
    assert recorded.picture(folder, name) is None


def test_the_row_under_the_cursor_is_lit_from_end_to_end_and_keeps_its_colours() -> None:
    grid = Grid(30, 1)
    grid.pieces(0, 0, [("one ", "text"), ("done", "ok"), (" failed", "bad"), (" a", "mark")])
    plain = [theme.styles(theme.DEFAULT)[look] for look in grid.looks[0]]
    grid.choose(0)
    lit = [theme.styles(theme.DEFAULT)[look] for look in grid.looks[0]]
    assert len({style.bgcolor for style in lit}) == 1
    assert lit[0].bgcolor != plain[0].bgcolor
    assert [style.color for style in lit] == [style.color for style in plain]
