"""The pictures that ship with the project, and the scripts that painted them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.painting.noise import cells, fbm
from examples.painting.paint import CATALOGUE, CONTENTS, STYLES, main

SAMPLES = Path(str(files("nst_graph.graphs.samples")))


def shipped(name: str) -> np.ndarray:
    """A shipped picture as height × width × 3, 0 to 1."""
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert("RGB"), np.float64) / 255


def test_the_catalogue_and_the_folder_hold_the_same_pictures() -> None:
    there = {p.name for p in SAMPLES.iterdir() if p.suffix in (".png", ".jpg")}
    assert there == set(CATALOGUE)
    assert len(CONTENTS) >= 4 and len(STYLES) >= 8


def test_the_package_names_every_picture_it_ships() -> None:
    import nst_graph.graphs.samples as package

    assert all(name in (package.__doc__ or "") for name in CATALOGUE)


def test_all_samples_together_stay_small() -> None:
    sizes = {name: (SAMPLES / name).stat().st_size for name in CATALOGUE}
    assert max(sizes.values()) <= 350_000, sizes
    assert sum(sizes.values()) <= 3_500_000, sizes


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_sample_carries_no_metadata(name: str) -> None:
    with Image.open(SAMPLES / name) as image:
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_sample_has_a_sane_size_many_colours_and_contrast(name: str) -> None:
    picture = shipped(name)
    height, width = picture.shape[:2]
    assert min(height, width) >= 480 and max(height, width) <= 640
    grey = picture.mean(2)
    assert grey.std() > 0.12
    low, high = np.percentile(grey, [2, 98])
    assert high - low > 0.5
    assert 0.2 < grey.mean() < 0.7
    coarse = np.unique((picture * 15.99).astype(int).reshape(-1, 3), axis=0)
    assert len(coarse) > (100 if name.endswith(".jpg") else 20)  # a print has two inks


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_textured_all_over(name: str) -> None:
    """Style transfer takes a painting's statistics: no empty corner, no flat frame."""
    grey = shipped(name).mean(2)
    rows, columns = grey.shape[0] // 5, grey.shape[1] // 5
    for row in range(5):
        for column in range(5):
            tile = grey[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns]
            assert np.abs(np.diff(tile, axis=1)).mean() > 0.008, (row, column)


def test_the_script_paints_the_shipped_picture_again(tmp_path: Path) -> None:
    assert main([str(tmp_path), "glass"]) == 0
    [path] = list(tmp_path.iterdir())
    with Image.open(path) as again, Image.open(SAMPLES / path.name) as first:
        assert again.size == first.size
        # Blurred: other versions of numpy or Pillow may round a pixel differently.
        small = (again.width // 8, again.height // 8)
        a, b = (np.asarray(i.resize(small, Image.Resampling.BOX), float) for i in (again, first))
    assert np.abs(a - b).mean() < 2.0
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


def test_an_unknown_picture_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "out"), "harbor"])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "no picture harbor" in message and "harbour" in message
    assert not (tmp_path / "out").exists()


def test_noise_is_smooth_and_the_same_for_the_same_seed() -> None:
    y, x = np.mgrid[0:64, 0:64].astype(np.float32) / 16
    once, again, other = fbm(x, y, 3), fbm(x, y, 3), fbm(x, y, 4)
    assert np.array_equal(once, again) and not np.array_equal(once, other)
    assert abs(float(once.mean())) < 0.3 and 0.05 < float(once.std()) < 0.6
    assert float(np.abs(np.diff(once, axis=1)).max()) < 0.5


def test_a_cell_is_the_region_nearest_to_its_point() -> None:
    y, x = np.mgrid[0:80, 0:80].astype(np.float32) / 10
    near, second, label = cells(x, y, 5)
    assert (near <= second).all() and near.min() >= 0
    # Where the label changes between neighbours, two points are about equally near.
    change = label[:, 1:] != label[:, :-1]
    assert change.any()
    assert float((second - near)[:, 1:][change].max()) < 0.25
