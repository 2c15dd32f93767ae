"""The scripts that made `compact`, run for a moment on synthetic pictures and tiny teachers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from nst_graph.style.architecture import Architecture
from nst_graph.style.encoder import Encoder
from nst_graph.style.weights_files import Weights, canonical, read
from training.distill import Recipe, distil
from training.evaluate import explained
from training.export import DeadChannels, exported, natural_pictures
from training.judge import errors
from training.objective import affine_map, gram, gram_error
from training.pictures import Crops, files, split
from training.pictures import read as read_picture
from training.student import Student, untrained, widened
from training.teachers import DEEP_TAPS, TRUE_TAPS, Teachers

CONVS = (2, 2, 2, 2, 1)
TINY = Architecture((4, 6, 8, 8, 8), CONVS, "blur", "reflect")
VGG_WIDTHS, COMPRESSED_WIDTHS = (5, 6, 7), (3, 4, 9, 10, 11)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are too small for more, and waiting for a second core costs most of all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def some_weights(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape) * (2 / max(1, np.prod(shape[1:]))) ** 0.5


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(5)
    for i in range(21):
        small = random.integers(0, 256, (9, 12, 3), np.uint8)
        Image.fromarray(small).resize((100, 80)).save(folder / f"{i:02}.png")
    return folder


@pytest.fixture
def teachers(tmp_path: Path) -> Teachers:
    torch.manual_seed(1)
    vgg, into = {}, 3
    for block, width in enumerate(VGG_WIDTHS, 1):
        for i in (1, 2):
            vgg[f"conv{block}_{i}.weight"] = some_weights((width, into, 3, 3))
            vgg[f"conv{block}_{i}.bias"] = torch.full((width,), 0.1)
            into = width
    save_file(vgg, tmp_path / "vgg.safetensors")
    small = {"conv0.weight": torch.eye(3)[:, :, None, None], "conv0.bias": torch.zeros(3)}
    into = 3
    for block, (width, convs) in enumerate(zip(COMPRESSED_WIDTHS, (2, 2, 4, 4, 1), strict=True), 1):
        for i in range(1, convs + 1):
            small[f"conv{block}{i}.weight"] = some_weights((width, into, 3, 3))
            small[f"conv{block}{i}.bias"] = torch.full((width,), 0.1)
            into = width
    save_file(small, tmp_path / "compressed.safetensors")
    return Teachers(tmp_path / "vgg.safetensors", tmp_path / "compressed.safetensors")


@pytest.fixture
def narrow(pictures: Path) -> Weights:
    torch.manual_seed(2)
    architecture = Architecture((3, 4, 6, 8, 8), CONVS, "blur", "reflect")
    start = untrained(architecture, natural_pictures(pictures, 4, 48))
    return canonical(architecture, start.tensors())


def crops(pictures: Path, seed: int = 3) -> Crops:
    found = [read_picture(f, 72) for f in split(pictures)[0]]
    return Crops(found, found[:3], seed)


def trained(
    pictures: Path, teachers: Teachers, narrow: Weights, out: Path, steps: int = 4, seed: int = 0
) -> Student:
    recipe = Recipe(steps, batch=4, side=48, on_policy_every=3, pool=6, warm_up=5, seed=seed)
    return distil(narrow, TINY, teachers, crops(pictures), recipe, out)


def test_a_trained_student_reloads_as_an_encoder_that_computes_the_same(
    tmp_path: Path, pictures: Path, teachers: Teachers, narrow: Weights
) -> None:
    student = trained(pictures, teachers, narrow, tmp_path / "student.pt")
    kept = torch.load(tmp_path / "student.pt", weights_only=True)
    natural = natural_pictures(pictures, 6, 48)
    (tmp_path / "tiny.safetensors").write_bytes(exported(TINY, kept, natural, {"training": "a"}))
    encoder = Encoder("tiny", read(tmp_path / "tiny.safetensors"))
    assert encoder.architecture == TINY
    taps = [tap for tap in encoder.layers if tap.startswith("relu")]
    with torch.no_grad():
        wanted, found = student(natural), encoder(natural, taps)
    assert list(wanted) == taps
    for tap in taps:
        assert found[tap].mean().item() == pytest.approx(1, abs=0.01)
        error = (found[tap] - wanted[tap] / wanted[tap].mean()).norm() / found[tap].norm()
        assert error < 0.01, tap


def test_calibrated_taps_are_centred_and_white_but_for_the_shrinkage(
    tmp_path: Path, pictures: Path
) -> None:
    torch.manual_seed(4)
    natural = natural_pictures(pictures, 6, 48)
    content = exported(TINY, untrained(TINY, natural).tensors(), natural, {})
    (tmp_path / "tiny.safetensors").write_bytes(content)
    encoder = Encoder("tiny", read(tmp_path / "tiny.safetensors"))
    for tap in ("relu1_1", "relu3_2", "relu5_1"):
        whiten, mean = (t.double().numpy() for t in encoder.calibration(tap))
        rows = encoder(natural, [tap])[tap].permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
        values = np.linalg.eigvalsh(np.cov(rows.T, bias=True))
        white = (rows - mean) @ whiten.T
        assert np.abs(white.mean(0)).max() < 0.02
        expected = values / (values + 0.05 * values.mean())
        assert np.linalg.eigvalsh(np.cov(white.T, bias=True)) == pytest.approx(expected, abs=0.02)


def test_training_brings_the_student_nearer_to_its_teachers(
    tmp_path: Path, pictures: Path, teachers: Teachers, narrow: Weights
) -> None:
    x = crops(pictures, seed=9).plain(12, 48, paintings=0)
    torch.manual_seed(0)
    before = widened(narrow, TINY, x)
    after = trained(pictures, teachers, narrow, tmp_path / "student.pt", steps=30)

    def score(student: Student) -> float:
        wanted = teachers(x)["relu3_1"].permute(0, 2, 3, 1).flatten(0, 2).float()
        with torch.no_grad():
            given = student(x)["relu3_1"][:, :, 3:-3, 3:-3].permute(0, 2, 3, 1).flatten(0, 2)
        half = len(wanted) // 2
        return explained((given[:half], wanted[:half]), (given[half:], wanted[half:]))

    assert score(after) > score(before) + 0.01


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(
    tmp_path: Path, pictures: Path, teachers: Teachers, narrow: Weights
) -> None:
    first, again, other = (
        trained(pictures, teachers, narrow, tmp_path / "student.pt", steps=2, seed=seed).tensors()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_widened_network_still_computes_the_narrow_ones_features(
    pictures: Path, narrow: Weights
) -> None:
    x = natural_pictures(pictures, 2, 48)
    wanted = Encoder("narrow", narrow)(x, ("relu1_2", "relu3_1", "relu5_1"))
    with torch.no_grad():
        found = widened(narrow, TINY, x)(x)
    for tap, features in wanted.items():
        assert torch.allclose(found[tap][:, : features.shape[1]], features, atol=1e-4), tap
    for tap in ("relu1_2", "relu2_2", "relu3_1"):
        new = found[tap][:, narrow.architecture.channels(tap) :]
        assert bool((new.std((0, 2, 3)) > 0.1).all()), tap


def test_dead_channels_begin_anew_and_change_nothing_that_worked(
    pictures: Path, narrow: Weights
) -> None:
    x = natural_pictures(pictures, 2, 48)
    broken = dict(narrow.tensors)
    broken["conv2_1.bias"] = broken["conv2_1.bias"].clone()
    broken["conv2_1.bias"][1] = -1000
    dead = canonical(narrow.architecture, broken)
    wanted = Encoder("dead", dead)(x, ("relu2_1", "relu4_1"))
    with torch.no_grad():
        found = widened(dead, TINY, x)(x)
    assert float(wanted["relu2_1"][:, 1].max()) == 0
    assert float(found["relu2_1"][:, 1].std()) > 0.1
    assert torch.allclose(found["relu4_1"][:, :8], wanted["relu4_1"], atol=1e-4)


def test_only_channels_far_from_firing_count_as_idle(pictures: Path) -> None:
    x = natural_pictures(pictures, 2, 48)
    student = untrained(TINY, x)
    assert not student.with_idleness(x)[1].any()
    with torch.no_grad():
        student.convs["conv3_2"].bias[2] -= 5
    idleness = student.with_idleness(x)[1]
    idleness.backward()
    slope = student.convs["conv3_2"].bias.grad
    assert float(idleness.detach()) == pytest.approx(3 / 8, rel=0.2)
    assert float(slope[2]) < 0
    assert not slope[[0, 1, 3, 4, 5, 6, 7]].any()


def test_shallow_taps_are_taught_by_vgg_and_deep_ones_by_the_compressed_network(
    teachers: Teachers,
) -> None:
    features = teachers(torch.rand(1, 3, 48, 48))
    widths = {tap: f.shape[1] for tap, f in features.items()}
    assert [widths[tap] for tap in TRUE_TAPS] == [5, 6, 7, 7]
    assert [widths[tap] for tap in DEEP_TAPS] == [10, 10, 11]


def test_a_channel_that_never_fires_is_not_exported(pictures: Path) -> None:
    natural = natural_pictures(pictures, 4, 48)
    tensors = untrained(TINY, natural).tensors()
    tensors["conv4_2.bias"][5] = -1000
    with pytest.raises(DeadChannels, match=r"\[5\] of relu4_2"):
        exported(TINY, tensors, natural, {})


def test_every_twentieth_picture_is_held_out(pictures: Path) -> None:
    seen, held = split(pictures)
    assert [f.name for f in held] == ["07.png"]
    assert sorted(seen + held) == files(pictures)


def test_augmented_crops_stay_pictures(pictures: Path) -> None:
    batch = crops(pictures).augmented(32, 40)
    assert batch.shape == (32, 3, 40, 40)
    assert 0 <= float(batch.min()) < float(batch.max()) <= 1


def test_the_affine_map_is_the_least_squares_solution() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((200, 5)), random.standard_normal((200, 3))
    solution = np.linalg.lstsq(np.c_[x, np.ones(200)], y, rcond=None)[0]
    weight, bias = affine_map(torch.from_numpy(x), torch.from_numpy(y), ridge=0)
    assert weight.numpy() == pytest.approx(solution[:5].T, abs=1e-9)
    assert bias.numpy() == pytest.approx(solution[5], abs=1e-9)


def test_gram_errors_are_relative_to_the_wanted_matrix() -> None:
    features = torch.rand(2, 3, 4, 5)
    wanted = gram(features)
    assert wanted[1, 0, 2].item() == pytest.approx(
        float((features[1, 0] * features[1, 2]).sum() / 20)
    )
    assert gram_error(2**0.5 * features, wanted).tolist() == pytest.approx([1, 1])


def test_a_result_equal_to_its_style_has_no_error(pictures: Path, narrow: Weights) -> None:
    style, other = natural_pictures(pictures, 2, 48).split(1)
    judge = Encoder("judge", narrow)
    assert max(errors(judge, style, style).values()) == 0
    assert min(errors(judge, style, other).values()) > 0.01
