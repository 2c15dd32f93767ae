"""Listing encoders, torchvision's weights through torch's cache, and normalisation."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from nst_graph import encoders
from nst_graph.errors import UserError
from nst_graph.normalise import normalise
from nst_graph.style.architecture import VGG16, VGG19, Architecture
from nst_graph.style.encoder import Encoder, load_encoder
from nst_graph.style.weights_files import canonical, pack
from nst_graph.style.weights_format import expected, read_header
from nst_graph.style.weights_lookup import TORCHVISION, features_file, hub_file
from nst_graph.values import EncoderChoice

SMALL = Architecture((4, 6), (2, 1))


def tensors_for(architecture: Architecture, calibrated: tuple[str, ...] = ()):
    """Random values that float16 holds exactly, so that storing them loses nothing."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator).half().float()
        for name, shape in expected(architecture, calibrated).items()
    }


def cheap_vgg(architecture: Architecture, classifier: bool = True) -> dict[str, torch.Tensor]:
    """torchvision's names and shapes; every tensor repeats one number, so files stay small."""
    state, index = {}, 0
    for block, count in enumerate(architecture.convs, 1):
        for i in range(1, count + 1):
            shape = architecture.conv_shape(f"conv{block}_{i}")
            state[f"features.{index}.weight"] = torch.tensor(1e-3 * (index + 1)).expand(shape)
            state[f"features.{index}.bias"] = torch.tensor(0.1).expand(shape[:1])
            index += 2
        index += 1
    if classifier:
        for index, shape in ((0, (4096, 25088)), (3, (4096, 4096)), (6, (1000, 4096))):
            state[f"classifier.{index}.weight"] = torch.tensor(0.5).expand(shape)
            state[f"classifier.{index}.bias"] = torch.tensor(0.5).expand(shape[:1])
    return state


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder, and an empty torch cache beside it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


# --- listing and names ---------------------------------------------------------------------------


def test_names_are_in_the_order_of_the_contract(models):
    for name in ("zebra.pth", "Able.safetensors", "able.pth"):
        (models / name).write_bytes(b"x")
    for ignored in (
        "vgg19-features.safetensors",
        "a.txt",
        ".b.pth",
        "c.pth.part",
        "d.pth.nst.json",
    ):
        (models / ignored).write_bytes(b"x")
    (models / "folder.pth").mkdir()
    known = encoders.names(models)
    assert [name for name in known if name != "compact-hq"] == [
        "compact",
        "vgg19",
        "vgg16",
        "Able.safetensors",
        "able.pth",
        "zebra.pth",
    ]
    assert [info.name for info in encoders.available(models)] == known
    assert encoders.names(models / "missing")[:1] == ["compact"]


def test_the_list_says_what_is_found_missing_and_unusable(models):
    (models / "good.safetensors").write_bytes(pack(SMALL, tensors_for(SMALL)))
    (models / "bad.safetensors").write_bytes(b"nonsense")
    infos = {info.name: info for info in encoders.available(models)}
    assert infos["compact"].found and infos["compact"].size and infos["compact"].weights
    assert not infos["vgg19"].found and infos["vgg19"].where == str(hub_file("vgg19"))
    assert infos["good.safetensors"].weights == canonical(SMALL, tensors_for(SMALL)).id
    assert infos["good.safetensors"].note == "3 convolutions, 4-6 channels"
    assert infos["bad.safetensors"].note.startswith("unusable: ")


def test_layers_can_be_checked_before_any_weights_are_read(models):
    save_file(cheap_vgg_copied(SMALL), models / "a.safetensors")
    torch.save(cheap_vgg(SMALL), models / "a.pth")
    assert encoders.architecture("vgg19", models).canonical("r54") == ("relu5_4", None)
    assert encoders.architecture("compact", models).taps[-1] == "pool5"
    assert encoders.architecture("a.safetensors", models) == SMALL
    assert encoders.architecture("a.pth", models) is None
    assert encoders.architecture("absent.pth", models) is None
    with pytest.raises(UserError, match="no encoder is called"):
        encoders.architecture("vgg", models)


def cheap_vgg_copied(architecture: Architecture) -> dict[str, torch.Tensor]:
    return {n: t.clone() for n, t in cheap_vgg(architecture, classifier=False).items()}


def test_listing_and_the_id_of_our_own_files_need_no_torch(models):
    (models / "a.safetensors").write_bytes(pack(SMALL, tensors_for(SMALL)))
    code = (
        "import sys; from pathlib import Path; from nst_graph import encoders\n"
        "models = Path(sys.argv[1]); encoders.available(models)\n"
        "encoders.weights_id('compact', models), encoders.weights_id('a.safetensors', models)\n"
        "encoders.architecture('a.safetensors', models)\n"
        "assert not {'torch', 'torchvision', 'filelock'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, models], check=True)


def test_the_id_of_a_foreign_file_is_remembered_until_it_changes(models, monkeypatch):
    file = models / "a.pth"
    torch.save(cheap_vgg(SMALL), file)
    first = encoders.weights_id("a.pth", models)
    assert first == load_encoder(EncoderChoice("a.pth"), models).weights
    monkeypatch.setattr("nst_graph.style.weights_files.read", None)
    assert encoders.weights_id("a.pth", models) == first
    monkeypatch.undo()
    torch.save(cheap_vgg(Architecture((5,), (1,))), file)
    os.utime(file, (1e9, 1e9))
    assert encoders.weights_id("a.pth", models) != first
    (models / "a.pth.nst.json").write_bytes(b"[[[")
    assert encoders.weights_id("a.pth", models) != first


@pytest.mark.parametrize(
    "name",
    ["../a.pth", "/etc/a.pth", "x/../../a.pth", "..\\a.pth", "C:a.pth", "a\0.pth", "~/a.pth",
     ".pth", "", "vgg", "vgg19 ", "a.bin", "..pth/../a.pth", "a.pth/", "…" * 300 + ".pth",
     "fifo.pth"],
)  # fmt: skip
def test_a_name_never_leads_out_of_the_models_folder(models, name):
    torch.save(cheap_vgg(SMALL), models.parent / "a.pth")
    if hasattr(os, "mkfifo"):
        os.mkfifo(models / "fifo.pth")
    for attempt in (
        lambda: encoders.weights_id(name, models),
        lambda: encoders.fetch(name, models),
        lambda: load_encoder(EncoderChoice(name), models),
    ):
        with pytest.raises(UserError, match=r"no encoder is called|there is no file"):
            attempt()


# --- torchvision's weights -----------------------------------------------------------------------


def put_into_cache(name: str, state: dict[str, torch.Tensor]) -> Path:
    file = hub_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, file)
    return file


def test_the_cache_is_where_torch_hub_has_it(models, monkeypatch):
    wanted = Path(torch.hub.get_dir()) / "checkpoints" / "vgg19-dcbb9e9d.pth"
    assert hub_file("vgg19") == wanted
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert hub_file("vgg16").parent == Path(torch.hub.get_dir()) / "checkpoints"


def test_the_address_and_the_file_are_those_of_torchvisions_enum():
    for name, (_, _, file) in TORCHVISION.items():
        assert encoders._address(name) == f"https://download.pytorch.org/models/{file}"


@pytest.mark.parametrize(("name", "architecture"), [("vgg19", VGG19), ("vgg16", VGG16)])
def test_weights_in_the_cache_are_used_then_converted_and_give_the_same(models, name, architecture):
    source = put_into_cache(name, cheap_vgg(architecture))
    choice = EncoderChoice(name)
    x = torch.rand(1, 3, 32, 32)
    before = load_encoder(choice, models)
    assert before.transform == "torch" and before.pooling == "max" and before.padding == "zeros"
    taps = before(x, ("conv1_1", "relu5_1"))
    warnings: list[str] = []
    file = encoders.fetch(name, models, warn=warnings.append)
    assert file == features_file(name, models)
    assert file.stat().st_size == pytest.approx({"vgg19": 80.1e6, "vgg16": 58.9e6}[name], rel=1e-3)
    assert "another sha256" in warnings[0] and len(warnings) == 1
    info = next(info for info in encoders.available(models) if info.name == name)
    assert "not torchvision's" in info.note and info.where == str(file)
    source.unlink()
    after = load_encoder(choice, models)
    assert after.weights == before.weights == encoders.weights_id(name, models)
    again = after(x, ("conv1_1", "relu5_1"))
    assert all(torch.equal(taps[layer], again[layer]) for layer in taps)
    assert encoders.fetch(name, models, offline=True) == file


def test_asking_for_the_id_converts_what_is_in_the_cache(models):
    put_into_cache("vgg16", cheap_vgg(VGG16))
    found = encoders.ready("vgg16", models, offline=True)
    assert read_header(features_file("vgg16", models)).metadata["weights"] == found


def test_a_models_folder_that_cannot_be_written_is_no_obstacle(models, monkeypatch):
    source = put_into_cache("vgg16", cheap_vgg(VGG16))

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(encoders.files, "write", refuse)
    warnings: list[str] = []
    assert encoders.fetch("vgg16", models, warn=warnings.append) == source
    assert "cannot keep" in warnings[-1]
    expected_id = load_encoder(EncoderChoice("vgg16"), models).weights
    assert encoders.weights_id("vgg16", models) == expected_id


@pytest.mark.parametrize("state", [cheap_vgg(VGG16), {}, cheap_vgg(Architecture((8,), (2,)))])
def test_a_wrong_file_in_the_cache_is_refused_not_replaced(models, state):
    source = put_into_cache("vgg19", state)
    for attempt in (
        lambda: load_encoder(EncoderChoice("vgg19"), models),
        lambda: encoders.fetch("vgg19", models),
    ):
        with pytest.raises(UserError, match="vgg19"):
            attempt()
    assert source.exists() and not features_file("vgg19", models).exists()


def test_absent_and_offline_says_where_what_and_what_works_now(models, monkeypatch):
    monkeypatch.setattr(encoders, "_address", None)  # would fail if it were asked
    for attempt in (
        lambda: encoders.fetch("vgg19", models, offline=True),
        lambda: encoders.fetch("vgg19", models),  # NST_OFFLINE is set for all tests
        lambda: load_encoder(EncoderChoice("vgg19"), models),
        lambda: encoders.weights_id("vgg19", models),
    ):
        with pytest.raises(UserError) as caught:
            attempt()
        for part in (
            str(hub_file("vgg19")),
            str(features_file("vgg19", models)),
            "vgg19-dcbb9e9d.pth",
            "VGG19_Weights.IMAGENET1K_V1.url",
            "encoder=compact` works now",
        ):
            assert part in str(caught.value)


@pytest.mark.slow
def test_the_true_size_of_torchvisions_file_in_its_old_format(models):
    state = {name: tensor.clone() for name, tensor in cheap_vgg(VGG19).items()}
    source = hub_file("vgg19")
    source.parent.mkdir(parents=True)
    torch.save(state, source, _use_new_zipfile_serialization=False)
    assert source.stat().st_size == pytest.approx(574.67e6, rel=1e-3)
    found = encoders.ready("vgg19", models, offline=True)
    source.unlink()
    put_into_cache("vgg16", cheap_vgg(VGG16))  # another file in the cache is no matter
    begin = time.process_time()
    encoder = load_encoder(EncoderChoice("vgg19"), models)
    assert time.process_time() - begin < 2.0
    assert encoder.weights == found
    assert torch.equal(encoder.parameters["conv5_4"][0], state["features.34.weight"])


# --- normalisation -------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for i, size in enumerate(((40, 60), (64, 48), (50, 50))):
        array = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.mark.parametrize("pooling", ["max", "l2-scaled", "blur"])
def test_normalising_makes_mean_activations_one_and_preserves_the_output(models, pictures, pooling):
    architecture = Architecture((5, 6, 7), (2, 1, 2), pooling, "reflect", "caffe")
    tensors = tensors_for(architecture, ("relu2_1",))
    tensors["conv2_1.weight"][3], tensors["conv2_1.bias"][3] = 0, -1  # a dead filter
    (models / "raw.safetensors").write_bytes(pack(architecture, tensors, torch.float32))
    file, error = normalise("raw.safetensors", pictures, models, "unit.safetensors")
    assert file == models / "unit.safetensors" and error < 1e-4
    old = load_encoder(EncoderChoice("raw.safetensors"), models)
    new = load_encoder(EncoderChoice("unit.safetensors"), models)
    assert new.transform == "caffe" and new.weights != old.weights
    relus = [layer for layer in old.layers if layer.startswith("relu")]
    sums, count = {}, {}
    for path in sorted(pictures.glob("*.png")):
        x = torch.from_numpy(np.array(Image.open(path))).float().permute(2, 0, 1)[None] / 255
        before, after = old(x, relus), new(x, relus)
        for relu in relus:
            sums[relu] = sums.get(relu, 0) + after[relu].double().sum((0, 2, 3))
            count[relu] = count.get(relu, 0) + after[relu][0, 0].numel()
            ratio = (before[relu] * after[relu]).sum((0, 2, 3)) / after[relu].square().sum(
                (0, 2, 3)
            )
            ratio = ratio.nan_to_num()[:, None, None]
            assert torch.allclose(after[relu] * ratio, before[relu], rtol=1e-3, atol=1e-2)
    for relu in relus:
        alive = sums[relu] > 0
        assert torch.allclose(
            sums[relu][alive] / count[relu], torch.tensor(1.0).double(), atol=1e-3
        )
    assert not (sums["relu2_1"] > 0)[3]
    (whiten, mean), (new_whiten, new_mean) = old.calibration("relu2_1"), new.calibration("relu2_1")
    f, g = before["relu2_1"][0].flatten(1), after["relu2_1"][0].flatten(1)
    same = new_whiten @ (g - new_mean[:, None])
    assert torch.allclose(
        same, whiten @ (f - mean[:, None]), rtol=1e-3, atol=1e-2 * same.abs().max()
    )


def test_normalising_refuses_what_it_cannot_do_and_never_replaces(models, pictures, tmp_path):
    (models / "raw.safetensors").write_bytes(pack(SMALL, tensors_for(SMALL)))
    (empty := tmp_path / "empty").mkdir()
    (broken := tmp_path / "broken").mkdir()
    (broken / "a.png").write_bytes(b"\x89PNG nonsense")
    for arguments, says in (
        (("raw.safetensors", empty, models, "new.safetensors"), "no pictures"),
        (("raw.safetensors", broken, models, "new.safetensors"), "cannot be read as a picture"),
        (("raw.safetensors", pictures, models, "raw.safetensors"), "exists"),
        (("raw.safetensors", pictures, models, "../x.safetensors"), "needs a name"),
        (("raw.safetensors", pictures, models, "x.pth"), "needs a name"),
        (("none.safetensors", pictures, models, "x.safetensors"), "there is no file"),
    ):
        with pytest.raises(UserError, match=says):
            normalise(*arguments)
    assert sorted(path.name for path in models.iterdir()) == ["raw.safetensors"]


def test_a_rescaling_that_changes_the_output_is_noticed():
    from nst_graph.style.normalise import mean_activations, rescaled, verify

    weights = canonical(SMALL, tensors_for(SMALL))
    old, x = Encoder("a", weights), torch.rand(1, 3, 20, 20)
    scales = mean_activations(old, [x])
    verify(old, Encoder("b", rescaled(weights, scales)), scales, x)
    wrong = dict(weights.tensors) | {"conv2_1.bias": weights.tensors["conv2_1.bias"] + 1}
    with pytest.raises(UserError, match="changed its output"):
        verify(old, Encoder("b", canonical(SMALL, wrong)), scales, x)
