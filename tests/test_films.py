"""Contact sheets, loss plots and films made of pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence

from nst_graph import document, host
from nst_graph.errors import NodeError
from nst_graph.folders import Folders
from nst_graph.host import PlainHost
from nst_graph.nodes.sheet import NSTContactSheet, NSTLossPlot
from nst_graph.nodes.timelapse import NSTTimelapse
from nst_graph.values import History, HistoryPoint

GRAPH = {"1": {"class_type": "NSTTimelapse", "inputs": {"fade": 0}}}
PLAIN: dict[str, Any] = {
    "filename_prefix": "film",
    "format": "webp",
    "seconds": 0.1,
    "hold": 1.0,
    "fade": 0,
    "back_and_forth": False,
    "quality": 100,
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PlainHost]:
    folders = Folders((tmp_path,), tmp_path / "output", tmp_path / "temp", tmp_path / "models")
    plain = PlainHost(folders)
    with host.use(plain), torch.inference_mode():
        yield plain


def gray(value: float, height: int = 20, width: int = 30) -> torch.Tensor:
    return torch.full((1, height, width, 3), value)


def film(desk: PlainHost, *pictures: torch.Tensor, **options: Any) -> Path:
    images = {f"image_{number}": picture for number, picture in enumerate(pictures, start=1)}
    found = NSTTimelapse().save(**(PLAIN | options), **images, prompt=GRAPH)
    (entry,) = found["ui"]["images"]
    return desk.folders.output / entry["subfolder"] / entry["filename"]


def frames(path: Path) -> list[tuple[int, int]]:
    """(gray level of the middle, milliseconds) of each frame."""
    with Image.open(path) as picture:
        found = []
        for frame in ImageSequence.Iterator(picture):
            frame.load()
            level = frame.convert("RGB").getpixel((10, 10))
            assert isinstance(level, tuple)
            found.append((level[0], round(frame.info["duration"])))
        return found


# -- films


@pytest.mark.parametrize(
    ("format", "suffix"), [("webp", ".webp"), ("gif", ".gif"), ("apng", ".png")]
)
def test_a_film_shows_every_picture_and_holds_the_last(
    desk: PlainHost, format: str, suffix: str
) -> None:
    path = film(desk, gray(0.0), gray(0.4), gray(1.0), format=format)
    assert path.suffix == suffix
    assert frames(path) == [(0, 100), (102, 100), (255, 1100)]


def test_a_film_fades_from_picture_to_picture(desk: PlainHost) -> None:
    shown = frames(film(desk, gray(0.0), gray(1.0), fade=3, seconds=0.4, hold=0.0))
    assert [level for level, _ in shown] == [0, 64, 128, 191, 255]
    assert [time for _, time in shown] == [100, 100, 100, 100, 400]


def test_a_film_runs_back_again(desk: PlainHost) -> None:
    shown = frames(film(desk, gray(0.0), gray(0.4), gray(1.0), back_and_forth=True))
    assert [level for level, _ in shown] == [0, 102, 255, 102]


def test_the_frames_of_a_batch_and_further_pictures_follow_the_numbers(desk: PlainHost) -> None:
    batch = torch.cat([gray(0.0), gray(0.2)])
    found = NSTTimelapse().save(**PLAIN, image_10=gray(1.0), image_2=gray(0.6), image_1=batch)
    (entry,) = found["ui"]["images"]
    shown = frames(desk.folders.output / entry["filename"])
    assert [level for level, _ in shown] == [0, 51, 153, 255]


def test_all_frames_take_the_size_of_the_last_picture(desk: PlainHost) -> None:
    path = film(desk, gray(0.0, 40, 60), gray(1.0, 20, 30))
    with Image.open(path) as picture:
        assert picture.size == (30, 20)


@pytest.mark.parametrize("format", ["webp", "apng"])
def test_a_film_opens_as_its_graph(desk: PlainHost, format: str) -> None:
    path = film(desk, gray(0.0), gray(1.0), format=format)
    assert document.read(path, {}).nodes == json.loads(json.dumps(GRAPH))


def test_a_film_never_replaces_a_file(desk: PlainHost) -> None:
    first, second = film(desk, gray(0.0), gray(1.0)), film(desk, gray(1.0), gray(0.0))
    assert first != second
    assert first.is_file() and second.is_file()


def test_a_film_that_is_too_long_is_refused_before_it_is_made(desk: PlainHost) -> None:
    with pytest.raises(NodeError, match="of 2000 at most; lower fade"):
        film(desk, torch.zeros(100, 4, 4, 3), fade=60)


# -- sheets and plots


def test_a_sheet_shows_each_picture_in_its_place() -> None:
    reds = torch.zeros(1, 40, 40, 3)
    reds[..., 0] = 1
    (sheet,) = NSTContactSheet().lay_out(
        "a | b", 2, 40, image_1=torch.cat([reds, 1 - reds]), image_2=None
    )
    _, height, width, _ = sheet.shape
    assert width > 80 and height > 40
    torch.testing.assert_close(sheet[0, 30, width // 4], torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(sheet[0, 30, 3 * width // 4], torch.tensor([0.0, 1.0, 1.0]))


def test_a_label_without_a_picture_is_refused() -> None:
    with pytest.raises(NodeError, match="3 labels for 1 pictures"):
        NSTContactSheet().lay_out("a\nb\nc", 0, 64, image_1=gray(0.5))


def test_labels_left_out_leave_no_trace() -> None:
    wide = gray(0.5, 100, 200)
    (bare,) = NSTContactSheet().lay_out("", 0, 200, image_1=wide)
    (named,) = NSTContactSheet().lay_out("name", 0, 200, image_1=wide)
    assert len(bare.flatten(0, 2).unique(dim=0)) == 2, "the picture and the background"
    assert len(named.flatten(0, 2).unique(dim=0)) > 2


def test_a_plot_draws_the_losses_of_a_history() -> None:
    points = tuple(HistoryPoint(i, 1, 0.1 * i, 10.0 / i, (9.0 / i, 1.0 / i)) for i in range(1, 20))
    (plot,) = NSTLossPlot().draw(History(("style", "content"), points))
    assert plot.shape[0] == 1 and plot.shape[2] == 640
    assert len(plot.flatten(0, 2).unique(dim=0)) > 10
    with pytest.raises(NodeError, match="history is empty"):
        NSTLossPlot().draw(History(("style",)))
