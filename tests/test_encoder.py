"""The encoder against an independent float64 reference, and its names for layers."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.encoders import weights_id
from nst_graph.errors import UserError
from nst_graph.host import training_scope
from nst_graph.style import network
from nst_graph.style.architecture import PADDINGS, POOLINGS, VGG16, VGG19, Architecture
from nst_graph.style.encoder import Encoder, load_encoder
from nst_graph.style.weights_files import Weights, canonical, pack
from nst_graph.style.weights_format import expected
from nst_graph.values import STYLE_LAYERS, EncoderChoice

TINY = Architecture((4, 5, 6, 7, 8), (2, 2, 4, 4, 4))
SMALL = Architecture((4, 5, 6), (2, 1, 2))
DEEP = Architecture((3, 3, 3, 3, 3), (1, 1, 1, 1, 1))
NO_MODELS = Path(os.devnull) / "models"


def random_weights(architecture: Architecture, seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in expected(architecture, ()).items():
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else 10
        tensors[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    return canonical(architecture, tensors)


def picture(height: int, width: int, seed: int = 1, count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def reference(weights: Weights, x: torch.Tensor, pooling: str, padding: str) -> dict:
    """Every tap in float64, written out without any of the code under test."""
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64)
    std = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)
    x = (x.double() - mean[:, None, None]) / std[:, None, None]
    taps = {}
    for block, count in enumerate(weights.architecture.convs, 1):
        for i in range(1, count + 1):
            w = weights.tensors[f"conv{block}_{i}.weight"].double().numpy()
            b = weights.tensors[f"conv{block}_{i}.bias"].double().numpy()
            mode = {"zeros": "constant", "replicate": "edge", "reflect": "reflect"}.get(
                padding, "edge" if block == i == 1 else "constant"
            )
            p = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode=mode)
            windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), axis=(2, 3))
            y = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
            taps[f"conv{block}_{i}"] = torch.from_numpy(y)
            x = torch.from_numpy(np.maximum(y, 0))
            taps[f"relu{block}_{i}"] = x
        x = torch.from_numpy(pooled(x.numpy(), pooling))
        taps[f"pool{block}"] = x
    return taps


def pooled(x: np.ndarray, kind: str) -> np.ndarray:
    height, width = x.shape[2] // 2, x.shape[3] // 2
    if kind == "blur":
        p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
        k = np.array([1, 3, 3, 1]) / 8
        rows = sum(k[i] * p[:, :, i : i + 2 * height : 2] for i in range(4))
        return sum(k[i] * rows[..., i : i + 2 * width : 2] for i in range(4))
    cells = x[:, :, : 2 * height, : 2 * width].reshape(*x.shape[:2], height, 2, width, 2)
    return {
        "max": lambda: cells.max((3, 5)),
        "average": lambda: cells.mean((3, 5)),
        "average-scaled": lambda: 2.0 * cells.mean((3, 5)),
        "l2": lambda: np.sqrt((cells**2).sum((3, 5))),
        "l2-scaled": lambda: 0.78 * np.sqrt((cells**2).sum((3, 5))),
    }[kind]()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_tap_equals_the_reference(pooling, padding):
    assert_equals_reference(SMALL, pooling, padding)


def test_every_tap_of_a_net_in_the_shape_of_vgg19_equals_the_reference():
    assert_equals_reference(TINY, "max", "zeros")


def assert_equals_reference(architecture: Architecture, pooling: str, padding: str) -> None:
    weights = random_weights(architecture)
    encoder = Encoder("tiny", weights, pooling, padding)
    x = picture(39, 50, count=2)
    found = encoder(x, encoder.layers)
    wanted = reference(weights, x, pooling, padding)
    assert list(found) == list(wanted)
    for layer, tap in found.items():
        assert tap.dtype == torch.float32 and tap.shape == wanted[layer].shape
        scale = wanted[layer].abs().max()
        assert (tap.double() - wanted[layer]).abs().max() <= 2e-5 * scale, layer


def test_a_conv_tap_is_the_convolution_bit_for_bit_and_not_the_relu():
    weights = random_weights(TINY)
    encoder = Encoder("tiny", weights)
    x = picture(48, 40)
    found = encoder(x, ("pool3", "conv4_1", "relu4_1", "conv4_2"))
    kept = torch.channels_last
    for conv, below in (("conv4_1", "pool3"), ("conv4_2", "relu4_1")):
        weight = weights.tensors[f"{conv}.weight"].contiguous(memory_format=kept)
        alone = F.conv2d(found[below], weight, weights.tensors[f"{conv}.bias"], padding=1)
        assert torch.equal(found[conv], alone)
        assert (found[conv] < 0).any()
    assert torch.equal(found["relu4_1"], found["conv4_1"].clamp(min=0))


def test_a_tap_does_not_depend_on_what_else_is_asked_for():
    encoder = Encoder("tiny", random_weights(SMALL))
    x = picture(33, 33)
    together = encoder(x, encoder.layers)
    for layer in encoder.layers:
        assert torch.equal(encoder(x, (layer,))[layer], together[layer])


def test_it_computes_no_further_than_the_deepest_tap(monkeypatch):
    done = []
    convolve = network.convolve
    monkeypatch.setattr(network, "convolve", lambda *a: (done.append(1), convolve(*a))[1])
    encoder = Encoder("tiny", random_weights(TINY))
    assert list(encoder(picture(16, 16), {"relu3_1", "conv1_2"})) == ["conv1_2", "relu3_1"]
    assert len(done) == 5
    assert encoder(picture(16, 16), ()) == {}


@pytest.mark.parametrize(
    ("transform", "wanted"),
    [
        ("torch", [(0.2 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.9 - 0.406) / 0.225]),
        ("caffe", [0.9 * 255 - 103.939, 0.5 * 255 - 116.779, 0.2 * 255 - 123.68]),
        ("caffe256", [0.9 * 256 - 103.939, 0.5 * 256 - 116.779, 0.2 * 256 - 123.68]),
        ("raw01", [0.2, 0.5, 0.9]),
        ("torch255", [0.2 * 255 - 123.675, 0.5 * 255 - 116.28, 0.9 * 255 - 103.53]),
        ("raw255", [51.0, 127.5, 229.5]),
    ],
)
def test_the_input_transform_is_the_documented_one(transform, wanted):
    # conv1_1 that passes its three input channels on unchanged shows what the network sees
    architecture = Architecture((3,), (1,))
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = 1
    weights = canonical(architecture, {"conv1_1.weight": weight, "conv1_1.bias": torch.zeros(3)})
    encoder = Encoder("identity", weights, transform=transform)
    x = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    seen = encoder(x, ("conv1_1",))["conv1_1"][0, :, 2, 2]
    assert seen.tolist() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_reach_the_picture_and_are_finite_even_where_it_is_flat(pooling):
    encoder = Encoder("tiny", random_weights(SMALL), pooling)
    x = picture(32, 32)
    x[..., :16] = 0.5
    x.requires_grad_()
    encoder(x, ("relu3_1",))["relu3_1"].square().sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0
    assert not any(p.requires_grad for pair in encoder.parameters.values() for p in pair)


def test_l2_pooling_of_zeros_has_no_nan_gradient():
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    network.pool(x, "l2").sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_the_gradient_equals_the_finite_difference():
    weights = random_weights(TINY)
    encoder = Encoder("tiny", weights, "average", "reflect")
    x, direction = picture(32, 32), picture(32, 32, seed=5) - 0.5
    x.requires_grad_()
    encoder(x, ("relu4_2",))["relu4_2"].square().mean().backward()

    def loss(step: float) -> float:
        taps = reference(weights, x.detach().double() + step * direction, "average", "reflect")
        return float(taps["relu4_2"].square().mean())

    numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert float((x.grad * direction).sum()) == pytest.approx(numeric, rel=1e-3)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("layer", ["relu1_1", "conv2_1", "pool3", "relu5_1", "pool5"])
def test_min_side_is_exact(layer, padding):
    encoder = Encoder("tiny", random_weights(DEEP), "blur", padding)
    side = encoder.min_side((layer, "relu1_1"))
    for height, width in ((side, side + 3), (side + 5, side)):
        tap = encoder(picture(height, width), (layer,))[layer]
        stride = encoder.stride(layer)
        assert tap.shape == (1, encoder.channels(layer), height // stride, width // stride)
    if side > 1:
        with pytest.raises(UserError, match=f"{side} px"):
            encoder(picture(side - 1, side + 9), (layer,))


def test_half_precision_stays_close_and_full_precision_comes_back_exactly():
    encoder = Encoder("tiny", random_weights(TINY))
    x = picture(48, 48)
    full = encoder(x, ("relu3_1",))["relu3_1"]
    half = encoder.to("cpu", torch.bfloat16)
    close = half(x, ("relu3_1",))["relu3_1"]
    assert close.dtype == torch.bfloat16
    assert (close.float() - full).norm() < 0.02 * full.norm()
    again = half.to("cpu", torch.float32)(x, ("relu3_1",))["relu3_1"]
    assert torch.equal(again, full)


def test_the_picture_is_normalised_in_full_precision():
    # 200 and 201 of 255 are the same number in bfloat16 before but not after normalisation
    a, b = torch.tensor(200 / 255), torch.tensor(200.4 / 255)
    assert a.bfloat16() == b.bfloat16()
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = 1
    weights = canonical(
        Architecture((3,), (1,)), {"conv1_1.weight": weight, "conv1_1.bias": torch.zeros(3)}
    )
    encoder = Encoder("identity", weights, transform="caffe", dtype=torch.bfloat16)
    x = torch.stack((a.expand(3, 4, 4), b.expand(3, 4, 4)))
    seen = encoder(x, ("conv1_1",))["conv1_1"]
    assert (seen[0] != seen[1]).any()


def test_unknown_options_and_taps_are_refused():
    weights = random_weights(TINY)
    for option in ({"pooling": "median"}, {"padding": "wrap"}, {"transform": "bgr"}):
        with pytest.raises(UserError, match="is not one of auto"):
            Encoder("tiny", weights, **option)
    with pytest.raises(ValueError, match="relu9_9"):
        Encoder("tiny", weights)(picture(16, 16), ("relu9_9",))


# --- names ---------------------------------------------------------------------------------------


def test_the_indices_are_those_of_torchvision():
    vgg19 = {1: "relu1_1", 4: "pool1", 6: "relu2_1", 11: "relu3_1", 20: "relu4_1", 21: "conv4_2"}
    vgg19 |= {22: "relu4_2", 27: "pool4", 28: "conv5_1", 29: "relu5_1", 35: "relu5_4", 36: "pool5"}
    vgg16 = {6: "relu2_1", 11: "relu3_1", 15: "relu3_3", 18: "relu4_1", 20: "relu4_2"}
    vgg16 |= {25: "relu5_1", 29: "relu5_3"}
    for architecture, table in ((VGG19, vgg19), (VGG16, vgg16)):
        for index, layer in table.items():
            assert architecture.canonical(str(index)) == (layer, None)


@pytest.mark.parametrize("spelling", ["relu4_2", "r42", "R42", "r4_2", " RELU4_2 ", "relu42", "22"])
def test_aliases_of_one_layer(spelling):
    assert VGG19.canonical(spelling) == ("relu4_2", None)


def test_a_layer_the_encoder_lacks_becomes_the_nearest_earlier_one_of_its_block():
    compact = load_encoder(EncoderChoice(), NO_MODELS)
    assert compact.canonical("relu4_2") == ("relu4_2", None)
    assert compact.canonical("relu4_4") == (
        "relu4_2",
        "compact has no relu4_4; relu4_2 is used instead",
    )
    assert compact.canonical("conv5_3")[0] == "conv5_1"
    assert VGG16.canonical("r34", "vgg16")[0] == "relu3_3"


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ("rleu4_1", "relu4_1"),
        ("relu6_1", "relu5_1"),
        ("relu1_7", "relu1_"),
        ("37", "no layer '37'"),
        ("", "did you mean"),
        ("\x1b]52;c;x\x07", "x1b"),
    ],
)
def test_nonsense_is_refused_with_the_nearest_names(layer, says):
    with pytest.raises(UserError, match=says) as caught:
        VGG19.canonical(layer, "vgg19")
    assert str(caught.value).isprintable()


def test_an_index_means_nothing_for_other_encoders():
    with pytest.raises(UserError, match="write the name"):
        load_encoder(EncoderChoice(), NO_MODELS).canonical("22")


def test_a_missing_block_is_refused_with_the_last_layer_there_is():
    short = Architecture((64, 128, 256), (2, 2, 4), input="caffe")
    with pytest.raises(UserError, match="its last layer is pool3"):
        short.canonical("relu4_1", "short")


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[a-z]{0,5}[0-9]{0,2}_?[0-9]{0,2}")))
def test_any_text_is_a_layer_or_one_clear_error(text):
    for architecture in (VGG19, TINY, Architecture((3,), (1,))):
        try:
            layer, _ = architecture.canonical(text)
        except UserError:
            continue
        assert layer in architecture.taps
        assert architecture.canonical(layer) == (layer, None)


# --- loading -------------------------------------------------------------------------------------


def test_compact_ships_with_calibrated_style_taps():
    encoder = load_encoder(EncoderChoice(), NO_MODELS)
    assert encoder.weights == weights_id("compact", NO_MODELS)
    for layer in STYLE_LAYERS:
        whiten, mean = encoder.calibration(layer)
        channels = encoder.channels(layer)
        assert whiten.shape == (channels, channels) and mean.shape == (channels,)
        assert whiten.dtype == mean.dtype == torch.float32
    assert encoder.calibration("conv1_2") is None
    from nst_graph.style import weights

    file = Path(weights.__file__).with_name("compact.safetensors")
    assert file.stat().st_size <= 4e6


def test_an_encoder_loaded_in_inference_mode_can_be_used_for_gradients(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(pack(TINY, random_weights(TINY).tensors))
    with torch.inference_mode():
        encoder = load_encoder(EncoderChoice("a.safetensors"), tmp_path)
        encoder.calibration("relu1_1")
        with training_scope():
            x = picture(16, 16).requires_grad_()
            encoder(x, ("relu2_1",))["relu2_1"].sum().backward()
            assert x.grad.abs().sum() > 0


def test_an_encoder_is_loaded_once_until_its_file_changes(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(pack(TINY, random_weights(TINY).tensors))
    choice = EncoderChoice("a.safetensors")
    first = load_encoder(choice, tmp_path)
    assert load_encoder(choice, tmp_path) is first
    other = pack(TINY, random_weights(TINY, seed=7).tensors)
    file.unlink()
    file.write_bytes(other)
    os.utime(file, (1e9, 1e9))
    assert load_encoder(choice, tmp_path).weights != first.weights


def test_other_weights_than_those_of_the_graph_are_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(pack(TINY, random_weights(TINY).tensors))
    right = weights_id("a.safetensors", tmp_path)
    load_encoder(EncoderChoice("a.safetensors", weights=right), tmp_path)
    with pytest.raises(UserError, match="not those this work was begun with"):
        load_encoder(EncoderChoice("a.safetensors", weights="0" * 64), tmp_path)
