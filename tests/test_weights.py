"""Weight files: our format, foreign ones and broken ones."""

import json
import os
import pickle
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from nst_graph.errors import UserError
from nst_graph.style.architecture import PADDINGS, POOLINGS, TRANSFORMS, Architecture
from nst_graph.style.encoder import Encoder
from nst_graph.style.weights_files import canonical, pack, read
from nst_graph.style.weights_format import HEADER_LIMIT, expected, read_header

SMALL = Architecture((4, 6), (2, 1))


def tensors_for(architecture: Architecture, calibrated: tuple[str, ...] = (), seed: int = 0):
    """Random values that float16 holds exactly, so that storing them loses nothing."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator).half().float()
        for name, shape in expected(architecture, calibrated).items()
    }


# --- our format ----------------------------------------------------------------------------------


@given(
    blocks=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=5),
    pooling=st.sampled_from(POOLINGS),
    padding=st.sampled_from(PADDINGS),
    transform=st.sampled_from(TRANSFORMS),
    dtype=st.sampled_from((torch.float32, torch.float16, torch.bfloat16)),
    seed=st.integers(0, 99),
    data=st.data(),
)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_packed_is_read_back(
    tmp_path, blocks, pooling, padding, transform, dtype, seed, data
):
    widths, convs = zip(*blocks, strict=True)
    architecture = Architecture(widths, convs, pooling, padding, transform)
    relus = [tap for tap in architecture.taps if tap.startswith("relu")]
    calibrated = tuple(sorted(data.draw(st.sets(st.sampled_from(relus)))))
    tensors = tensors_for(architecture, calibrated, seed)
    file = tmp_path / "a.safetensors"
    file.write_bytes(packed := pack(architecture, tensors, dtype, {"note": "näive"}))
    assert packed == pack(architecture, tensors, dtype, {"note": "näive"})
    found = read(file)
    assert found.architecture == architecture
    assert list(found.tensors) == list(expected(architecture, calibrated))
    for name, tensor in tensors.items():
        assert torch.equal(found.tensors[name], tensor.to(dtype).float())
    header = read_header(file)
    assert header.metadata["weights"] == found.id and header.metadata["note"] == "näive"


def test_the_weights_id_follows_values_and_meaning_but_not_precision(tmp_path):
    tensors = tensors_for(SMALL)
    ids = {canonical(SMALL, tensors).id}
    for dtype in (torch.float32, torch.float16):
        (tmp_path / "a.safetensors").write_bytes(pack(SMALL, tensors, dtype))
        ids.add(read(tmp_path / "a.safetensors").id)
    assert len(ids) == 1
    changed = tensors | {"conv2_1.bias": tensors["conv2_1.bias"] + 1}
    ids.add(canonical(SMALL, changed).id)
    ids.add(canonical(Architecture((4, 6), (2, 1), pooling="average"), tensors).id)
    ids.add(canonical(Architecture((4, 6), (2, 1), input="caffe"), tensors).id)
    assert len(ids) == 4


def test_safetensors_own_library_reads_our_files(tmp_path):
    from safetensors.torch import load_file

    tensors = tensors_for(SMALL, ("relu1_2",))
    (tmp_path / "a.safetensors").write_bytes(pack(SMALL, tensors, torch.float16))
    found = load_file(tmp_path / "a.safetensors")
    assert {name: tuple(t.shape) for name, t in found.items()} == expected(SMALL, ("relu1_2",))
    assert torch.equal(found["conv1_2.weight"], tensors["conv1_2.weight"].half())


def test_values_that_a_precision_cannot_hold_are_not_packed():
    tensors = tensors_for(SMALL) | {"conv1_1.bias": torch.full((4,), 1e6)}
    with pytest.raises(UserError, match=r"conv1_1\.bias holds NaN or infinity"):
        pack(SMALL, tensors, torch.float16)


# --- foreign state dicts -------------------------------------------------------------------------


def torchvision_names(architecture, tensors, prefix="features."):
    names, index = {}, 0
    for block, count in enumerate(architecture.convs, 1):
        for i in range(1, count + 1):
            names[f"{prefix}{index}"] = f"conv{block}_{i}"
            index += 2
        index += 1
    return {
        f"{theirs}.{part}": tensors[f"{ours}.{part}"]
        for theirs, ours in names.items()
        for part in ("weight", "bias")
    }


FAMILIES = [
    ("mine.pth", "features.", "torch"),
    ("mine.safetensors", "features.", "torch"),
    ("mine.pth", "module.features.", "torch"),
    ("mine.pth", "", "torch"),
    ("vgg19-d01eb7cb.pth", "features.", "caffe"),
    ("vgg16-00b39a1b.pth", "features.", "caffe"),
    ("vgg_conv.pth", "conv", "caffe"),
    ("mine.safetensors", "conv", "caffe"),
    ("vgg_normalised.safetensors", "features.", "caffe"),
]


@pytest.mark.parametrize("convs", [(2, 2, 4, 4, 4), (2, 2, 3, 3, 3), (1, 1, 2, 2, 2), (2, 2, 4)])
@pytest.mark.parametrize(("file_name", "prefix", "transform"), FAMILIES)
def test_known_families_are_recognised(tmp_path, convs, file_name, prefix, transform):
    architecture = Architecture((4, 5, 6, 7, 8)[: len(convs)], convs, input=transform)
    tensors = tensors_for(architecture)
    state = tensors if prefix == "conv" else torchvision_names(architecture, tensors, prefix)
    state = {name: tensor.clone() for name, tensor in state.items()}
    state["classifier.0.weight"] = torch.zeros(3, 3)
    if file_name.endswith(".pth"):
        torch.save(state, tmp_path / file_name)
    else:
        save_file(state, tmp_path / file_name)
    found = read(tmp_path / file_name)
    assert found.architecture == architecture
    assert found.id == canonical(architecture, tensors).id


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_old_and_new_pickles_plain_and_nested(tmp_path, zipped, nested):
    state = torchvision_names(SMALL, tensors_for(SMALL))
    data = {"state_dict": state, "epoch": 3} if nested else state
    torch.save(data, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert read(tmp_path / "a.pth").id == canonical(SMALL, tensors_for(SMALL)).id


def test_a_declared_input_transform_is_believed(tmp_path):
    state = torchvision_names(SMALL, tensors_for(SMALL))
    save_file(state, tmp_path / "a.safetensors", {"input": "raw255"})
    assert read(tmp_path / "a.safetensors").architecture.input == "raw255"


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_the_authors_weights_are_recognised_by_value_whatever_their_file_is_called(tmp_path, scale):
    from nst_graph.style.weights_files import _CAFFE_FILTER

    tensors = tensors_for(SMALL)
    tensors["conv1_1.weight"][0] = torch.tensor(_CAFFE_FILTER).view(3, 3, 3) * scale
    torch.save(torchvision_names(SMALL, tensors), tmp_path / "some-vgg.pth")
    assert read(tmp_path / "some-vgg.pth").architecture.input == "caffe"


def with_front(architecture, tensors, by_name):
    """As in vgg_normalised: 1x1 convolution, then padding, convolution, ReLU … and pooling."""
    weight = torch.eye(3).flip(0).view(3, 3, 1, 1) * 255
    bias = -torch.tensor([103.939, 116.779, 123.68])
    state = {f"{'conv' * by_name}0.weight": weight, f"{'conv' * by_name}0.bias": bias}
    index = 2
    for block, count in enumerate(architecture.convs, 1):
        for i in range(1, count + 1):
            theirs = f"conv{block}{i}" if by_name else str(index)
            for part in ("weight", "bias"):
                state[f"{theirs}.{part}"] = tensors[f"conv{block}_{i}.{part}"]
            index += 3
        index += 1
    return state


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("convs", [(2, 2, 4, 4, 1), (1, 2)])
def test_a_net_whose_first_convolution_is_the_input_transform(tmp_path, by_name, convs):
    caffe = Architecture((4, 5, 6, 7, 8)[: len(convs)], convs, padding="reflect", input="caffe")
    tensors = tensors_for(caffe)
    state = with_front(caffe, tensors, by_name)
    torch.save(state, tmp_path / "a.pth")
    save_file(state, tmp_path / "a.safetensors", {"input": "torch"})
    x = torch.rand(1, 3, 20, 24)
    wanted = Encoder("caffe", canonical(caffe, tensors))(x, ("conv1_1", "relu2_2"))
    for name in ("a.pth", "a.safetensors"):
        found = read(tmp_path / name)
        assert found.architecture == replace(caffe, input="raw01")
        for layer, tap in Encoder(name, found)(x, wanted).items():
            assert (tap - wanted[layer]).abs().max() <= 1e-5 * wanted[layer].abs().max()
    del state[f"{'conv' * by_name}0.bias"]
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match="1x1 convolution has no bias"):
        read(tmp_path / "a.pth")


def without(name):
    return lambda state: state.pop(name)


def with_tensor(name, *shape):
    return lambda state: state.update({name: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (with_tensor("features.1.running_mean", 4), "batch normalisation"),
        (with_tensor("features.0.weight", 4, 3, 11, 11), r"should be \[4, 3, 3, 3\]"),
        (with_tensor("features.0.weight", 4, 1, 3, 3), r"should be \[4, 3, 3, 3\]"),
        (with_tensor("features.5.weight", 6, 9, 3, 3), r"features.5.weight should be"),
        (without("features.2.bias"), "features.2.bias should be .* missing"),
        (without("features.2.weight"), "not where a convolution would be"),
        (with_tensor("features.9.weight", 6, 6, 3, 3), "not where a convolution would be"),
        (dict.clear, "no VGG-shaped network"),
        (
            lambda state: (state.clear(), state.update({"head\x1b[2J": torch.zeros(2)})),
            "found 'head",
        ),
        (lambda state: state.update({"features.0.bias": torch.full((4,), torch.nan)}), "NaN"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_networks_are_refused_with_the_reason(tmp_path, spoil, says, suffix):
    state = torchvision_names(SMALL, tensors_for(SMALL))
    spoil(state)
    file = tmp_path / f"a{suffix}"
    torch.save(state, file) if suffix == ".pth" else save_file(state, file)
    with pytest.raises(UserError, match=says) as caught:
        read(file)
    assert str(caught.value).isprintable() and "a." in str(caught.value)


# --- broken files --------------------------------------------------------------------------------


def refused(file: Path) -> str:
    begin = time.perf_counter()
    with pytest.raises(UserError) as caught:
        read(file)
    assert time.perf_counter() - begin < 0.5
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_truncated_safetensors_file_is_refused_wherever_it_ends(tmp_path):
    whole = pack(SMALL, tensors_for(SMALL))
    file = tmp_path / "a.safetensors"
    for length in [*range(0, 200), *range(200, len(whole), 37), len(whole) - 1]:
        file.write_bytes(whole[:length])
        assert "a.safetensors" in refused(file)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_pickle_is_refused_wherever_it_ends(tmp_path, zipped):
    torch.save(
        torchvision_names(SMALL, tensors_for(SMALL)),
        tmp_path / "whole.pth",
        _use_new_zipfile_serialization=zipped,
    )
    whole = (tmp_path / "whole.pth").read_bytes()
    file = tmp_path / "a.pth"
    for length in [0, 1, 3, 4, 9, *range(50, len(whole), 211), len(whole) - 1]:
        file.write_bytes(whole[:length])
        assert "truncated, damaged" in refused(file)


@given(data=st.data())
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_byte_is_noticed_or_harmless(tmp_path, data):
    tensors = tensors_for(SMALL, ("relu1_1",))
    content = bytearray(pack(SMALL, tensors))
    right = canonical(SMALL, tensors).id
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "a.safetensors"
    file.write_bytes(content)
    try:
        found = read(file)
    except UserError as error:
        assert str(error).isprintable()
    else:
        assert found.id == right or not read_header(file).is_ours


def safetensors_with(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a weight file at all, but long enough",
        struct.pack("<Q", 1 << 60) + b"{}",
        safetensors_with(b"[]"),
        safetensors_with(b"{" * 60000),
        safetensors_with(b"[" * 60000),
        safetensors_with(b'{"a":1}'),
        safetensors_with(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}', b"12345678"),
        safetensors_with(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"1234"),
        safetensors_with(b'{"a":{"dtype":"F32","shape":[1e9],"data_offsets":[0,4]}}', b"1234"),
        safetensors_with(b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', b"1234"),
        safetensors_with(b'{"a":{"dtype":"F32","shape":"xy","data_offsets":[0,4]}}', b"1234"),
        safetensors_with(b'{"__metadata__":[1],"a":{}}'),
        safetensors_with(b'{"__metadata__":{"format":"nst-encoder/1"}}'),
        safetensors_with(b'{"a":{"dtype":[],"shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}'),
        safetensors_with(json.dumps({"__metadata__": {"x": "y" * HEADER_LIMIT}}).encode()),
    ],
    ids=range(16),
)
def test_hostile_headers_are_refused_at_once(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    refused(tmp_path / "a.safetensors")


def test_a_header_of_countless_tensors_is_refused_by_its_size(tmp_path):
    entries = (f'"t{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(60000))
    (tmp_path / "a.safetensors").write_bytes(safetensors_with(f"{{{','.join(entries)}}}".encode()))
    assert "limit is 1 MB" in refused(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"widths": "4,4"}, "should be"),
        ({"widths": "4"}, "does not know"),
        ({"convs": "2,2"}, r"conv2_2\.weight should be"),
        ({"convs": "99999999,1"}, "does not know"),
        ({"widths": "4,x"}, "incomplete"),
        ({"pooling": "median"}, "does not know"),
        ({"convs": "1,1"}, "should be|does not know"),
        ({"input": "caffe"}, "not those whose digest"),
        ({"format": "nst-encoder/2"}, None),
    ],
)
def test_metadata_that_does_not_fit_is_refused(tmp_path, change, says):
    content = pack(SMALL, tensors_for(SMALL))
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"].update(change)
    file = tmp_path / "a.safetensors"
    file.write_bytes(safetensors_with(json.dumps(header).encode(), content[8 + length :]))
    if says is None:  # a format of the future is read as any foreign file with such names
        assert read(file).architecture.convs == SMALL.convs
    else:
        with pytest.raises(UserError, match=says):
            read(file)


@pytest.mark.parametrize("width", [10**9, 4000, 0])
def test_a_small_pickle_of_a_gigantic_net_is_refused_before_it_takes_memory(tmp_path, width):
    state, before = {}, 3
    for index in (0, 2, 5):
        state[f"{index}.weight"] = torch.zeros(()).expand(width, before, 3, 3)
        state[f"{index}.bias"] = torch.zeros(()).expand(width)
        before = width
    torch.save(state, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 10_000
    assert "too wide or too many" in refused(tmp_path / "a.pth")


def test_code_in_a_pickle_is_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    state = torchvision_names(SMALL, tensors_for(SMALL)) | {"features.9": Bomb()}
    torch.save(state, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.pth", "b.pth"):
        assert "pickled code is never run" in refused(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(3), {1: torch.zeros(3)}])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    refused(tmp_path / "a.pth")
