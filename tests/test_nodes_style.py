"""The style nodes as a host calls them: declarations, recipes, errors, hosts, whole paintings."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nst_graph import host
from nst_graph.errors import NodeError
from nst_graph.folders import Folders
from nst_graph.host import Orders, PlainHost, Reading, State, Update
from nst_graph.nodes import NODE_CLASS_MAPPINGS
from nst_graph.nodes.combine import NSTLossCombine
from nst_graph.nodes.content_loss import METRICS, ContentLoss
from nst_graph.nodes.features import PADDINGS, POOLINGS, TRANSFORMS, VGGFeatures
from nst_graph.nodes.gram import GramMatrix
from nst_graph.nodes.optimize import INITS, OPTIMIZERS, PRECISIONS, Optimize
from nst_graph.nodes.style_loss import KINDS, NORMALIZATIONS, StyleLoss
from nst_graph.nodes.total_variation import (
    NSTHistogramLoss,
    NSTLaplacianLoss,
    NSTTotalVariation,
)
from nst_graph.registry import describe
from nst_graph.values import STYLE_LAYERS, Features, Loss

tiny: Any = sys.modules["tiny"]
torch.set_num_threads(1)

MINE = [
    "VGGFeatures",
    "GramMatrix",
    "ContentLoss",
    "StyleLoss",
    "Optimize",
    "NSTLossCombine",
    "NSTTotalVariation",
    "NSTHistogramLoss",
    "NSTLaplacianLoss",
]
CONTENT, STYLE = tiny.picture(36, 48, seed=1), tiny.picture(40, 40, seed=2)


@pytest.fixture
def plain(tmp_path: Path):
    """A host that records notes; its models folder is empty."""
    found = PlainHost(Folders((tmp_path,), tmp_path, tmp_path, tmp_path))
    with host.use(found):
        yield found


def encoded(image: Any, layers: str = "relu1_1,relu2_1,relu3_1,relu4_1,relu4_2") -> Features:
    return VGGFeatures().encode(image, "compact", layers)[0]


def losses(content: Any = CONTENT, painting: Any = STYLE) -> tuple[Loss, Loss]:
    keep = ContentLoss().make(encoded(content), 0.02)[0]
    gram = GramMatrix().measure(encoded(painting))[0]
    return keep, StyleLoss().make(gram, 1.0)[0]


def painted(**options: Any) -> Any:
    keep, style = losses()
    given = {"image": CONTENT, "steps": 4, "size": 0, "loss_1": keep, "loss_2": style, **options}
    return Optimize().optimize(**given)


# --- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MINE)
def test_every_node_is_declared_completely(name):
    node = describe(name)
    assert node is not None and node.category.startswith("nst/") and node.description
    assert all(given.options.get("tooltip") for given in node.inputs.values())
    assert len(node.cls.RETURN_NAMES) == len(node.cls.RETURN_TYPES)
    assert all(output.tooltip for output in node.outputs)


@pytest.mark.parametrize("name", MINE)
def test_python_defaults_are_the_declared_defaults(name):
    node = describe(name)
    assert node is not None
    parameters = inspect.signature(getattr(node.cls, node.function)).parameters
    for given in node.inputs.values():
        parameter = parameters.get(given.name)
        if parameter is None:
            assert given.name.startswith("loss_")
        elif parameter.default is not inspect.Parameter.empty and given.is_widget:
            assert parameter.default == given.default, given.name
        else:
            assert given.required or not given.is_widget


@pytest.mark.parametrize("name", MINE)
def test_weights_are_not_rounded_and_seeds_fit_a_browser(name):
    node = describe(name)
    assert node is not None
    for given in node.inputs.values():
        if given.name == "weight":
            assert given.options["round"] is False
            assert (given.options["min"], given.options["max"]) == (0.0, 1e12)
        if given.name == "seed":
            assert given.options["max"] == 2**32 - 1


def test_the_choices_offered_are_those_the_mathematics_knows():
    from nst_graph.style import architecture, initial, losses, precision, settings

    assert ["auto", *architecture.POOLINGS] == POOLINGS
    assert ["auto", *architecture.PADDINGS] == PADDINGS
    assert ["auto", *architecture.TRANSFORMS] == TRANSFORMS
    assert tuple(METRICS) == losses.METRICS and tuple(KINDS) == losses.KINDS
    assert ["auto", *losses.NORMALIZATIONS] == NORMALIZATIONS
    assert tuple(INITS) == initial.INITS and tuple(OPTIMIZERS) == settings.OPTIMIZERS
    assert tuple(PRECISIONS) == precision.PRECISIONS


def test_declaring_and_checking_inputs_imports_no_torch():
    code = """
import sys
from nst_graph.registry import describe
from nst_graph.nodes.optimize import Optimize
for name in sys.argv[1:]:
    describe(name)
assert Optimize.VALIDATE_INPUTS(memory="800") is True
assert "megabytes" in Optimize.VALIDATE_INPUTS(memory="lots")
assert "torch" not in sys.modules
"""
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, *MINE], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_all_nodes_are_exported_to_every_host():
    assert set(MINE) <= set(NODE_CLASS_MAPPINGS)


# --- recipes -------------------------------------------------------------------------------------


def test_features_remember_picture_weights_and_canonical_layers(plain):
    found = encoded(CONTENT, "r11, relu4_2")
    assert found.image is CONTENT
    assert found.layers == ("relu1_1", "relu4_2")
    assert found.encoder.name == "compact" and len(found.encoder.weights) == 64
    assert VGGFeatures.IS_CHANGED(encoder="compact") == found.encoder.weights
    assert plain.notes == []


def test_a_layer_the_encoder_lacks_is_replaced_with_a_note(plain):
    assert encoded(CONTENT, "relu4_4").layers == ("relu4_2",)
    assert plain.notes == ["compact has no relu4_4; relu4_2 is used instead"]


def test_gray_pictures_and_such_with_alpha_become_rgb(plain):
    assert encoded(CONTENT[..., :1]).image.shape[-1] == 3
    assert encoded(torch.cat([CONTENT, CONTENT[..., :1]], -1)).image.shape[-1] == 3


def test_a_gram_matrix_takes_the_style_taps_unless_told_otherwise(plain):
    features = encoded(STYLE, "relu1_1,relu1_2,relu3_1,relu4_2,relu5_1")
    assert GramMatrix().measure(features)[0].layers == ("relu1_1", "relu3_1", "relu5_1")
    assert GramMatrix().measure(features, "relu1_2 r42")[0].layers == ("relu1_2", "relu4_2")
    others = encoded(STYLE, "relu1_2,relu4_2")
    assert GramMatrix().measure(others)[0].layers == ("relu1_2", "relu4_2")
    assert set(STYLE_LAYERS) > {"relu1_1", "relu3_1", "relu5_1"}


def test_losses_arrive_in_the_order_of_their_numbers(plain):
    keep, style = losses()
    variation = NSTTotalVariation().make(0.5)[0]
    both = NSTLossCombine().combine(loss_3=variation, loss_2=style, loss_1=keep)[0]
    assert both.terms == (*keep.terms, *style.terms, *variation.terms)
    nested = NSTLossCombine().combine(loss_1=both, loss_8=keep, loss_4=None)[0]
    assert nested.terms == (*both.terms, *keep.terms)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: encoded(CONTENT, "relu9_1"), "relu9_1"),
        (lambda: encoded(CONTENT, " , "), "layers is empty"),
        (lambda: encoded(torch.zeros(3, 3)), "must be an IMAGE"),
        (lambda: VGGFeatures().encode(CONTENT, "vgg19", "relu1_1"), "not on this machine"),
        (lambda: VGGFeatures().encode(CONTENT, "none.pth", "relu1_1"), "none.pth"),
        (lambda: VGGFeatures().encode(CONTENT, "compact", "relu1_1", "mud"), "pooling"),
        (
            lambda: ContentLoss().make(encoded(CONTENT, "relu1_1"), 1.0),
            r"relu4_2 is not among .*add it to VGGFeatures.layers",
        ),
        (lambda: GramMatrix().measure(encoded(CONTENT), "relu5_1"), "not among"),
        (
            lambda: StyleLoss().make(
                GramMatrix().measure(encoded(STYLE))[0], 1.0, "sliced", normalization="gatys"
            ),
            "does not go with kind",
        ),
        (
            lambda: StyleLoss().make(
                GramMatrix().measure(encoded(STYLE))[0], 1.0, layer_weights="1, 2"
            ),
            "2 numbers for 4 layers",
        ),
        (lambda: NSTLaplacianLoss().make(CONTENT, 1.0, "four"), "list of sizes"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_node_runs(plain, make, says):
    with pytest.raises(NodeError, match=says):
        make()


def test_absent_vgg_weights_may_still_come(plain):
    assert VGGFeatures.IS_CHANGED(encoder="vgg19") == "absent"


# --- painting ------------------------------------------------------------------------------------


def test_optimize_paints_a_picture_with_every_kind_of_loss(plain):
    features = encoded(STYLE)
    gram = GramMatrix().measure(features)[0]
    mask = torch.zeros(1, 36, 48)
    mask[..., :30] = 1
    more = {
        f"loss_{number}": StyleLoss().make(gram, 0.2, kind, mask=mask)[0]
        for number, kind in enumerate(KINDS, 3)
    }
    pixels = NSTLossCombine().combine(
        loss_1=NSTTotalVariation().make(0.1, "nine_point")[0],
        loss_2=NSTHistogramLoss().make(STYLE, 0.1)[0],
        loss_3=NSTLaplacianLoss().make(CONTENT, 0.01)[0],
    )[0]
    picture, history = painted(**more, loss_8=pixels, tv_weight=0.0)
    assert picture.shape == CONTENT.shape and picture.min() >= 0 and picture.max() <= 1
    assert len(history.terms) == 10 == len(history.points[0].losses)
    assert history.points[-1].total < 0.8 * history.points[0].total


def test_nodes_work_under_inference_mode_as_comfyui_runs_them(plain):
    with torch.inference_mode():
        content, style = CONTENT.clone(), STYLE.clone()
        keep, paint = losses(content, style)
        mask = torch.ones(1, 36, 48)
        region = StyleLoss().make(paint.terms[0].target, 0.5, mask=mask)[0]
        pixels = NSTLaplacianLoss().make(content, 0.01)[0]
        for clamp in (True, False):
            picture, _ = Optimize().optimize(
                content,
                2,
                0,
                clamp=clamp,
                loss_1=keep,
                loss_2=paint,
                loss_3=region,
                loss_4=pixels,
            )
            assert picture.shape == CONTENT.shape
    assert torch.equal(content, CONTENT)


def test_inputs_are_never_modified(plain):
    before = CONTENT.clone(), STYLE.clone()
    painted(clamp=False, optimizer="adam")
    assert torch.equal(CONTENT, before[0]) and torch.equal(STYLE, before[1])


def test_size_is_the_long_side_of_the_result(plain):
    assert painted(size=40)[0].shape == (1, 30, 40, 3)


def test_a_missing_style_is_refused_with_the_way_out(plain):
    keep, _ = losses()
    with pytest.raises(NodeError, match="no StyleLoss is linked"):
        Optimize().optimize(CONTENT, 2, 0, init="style", loss_1=keep)


def test_a_picture_too_small_for_the_layers_is_refused(plain):
    with pytest.raises(NodeError, match=r"too small for relu4_. of compact"):
        painted(size=12)


def test_fp16_on_a_cpu_is_refused(plain):
    with pytest.raises(NodeError, match="fp16 needs a GPU"):
        painted(precision="fp16")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_precisions_paint(plain, precision):
    picture, history = painted(precision=precision, steps=6)
    assert picture.dtype == torch.float32
    assert history.points[-1].total < 0.6 * history.points[0].total


class Recorder(PlainHost):
    """Keeps what it is told; stops at ``stop``."""

    def __init__(self, folders: Folders, stop: int = 0, start: State | None = None) -> None:
        super().__init__(folders)
        self.stop, self.start = stop, start
        self.updates: list[Update] = []
        self.readings: list[Reading] = []
        self.pictures: list[np.ndarray] = []
        self.states: list[State] = []

    def terms(self, count: int) -> tuple[str, ...] | None:
        return tuple(f"term {i}" for i in range(count))

    def progress(self, update: Update, read: Any, picture: Any) -> Orders:
        self.updates.append(update)
        self.readings.append(read())
        self.pictures.append(picture())
        return Orders(stop=update.step == self.stop, checkpoint=update.step == self.stop)

    def load_checkpoint(self) -> State | None:
        return self.start

    def save_checkpoint(self, state: State, step: int) -> None:
        self.states.append(state)


def test_the_host_hears_of_every_step_and_can_stop_and_resume(tmp_path):
    folders = Folders((tmp_path,), tmp_path, tmp_path, tmp_path)
    with host.use(Recorder(folders)):
        wanted, history = painted(steps=6)
    first = Recorder(folders, stop=3)
    with host.use(first):
        painted(steps=6, preview_every=2)
    assert [update.step for update in first.updates] == [1, 2, 3]
    assert [update.preview for update in first.updates] == [False, True, False]
    assert first.updates[-1].steps == 6 and first.updates[-1].width == 48
    reading = first.readings[-1]
    assert reading.own == ("total variation",) and len(reading.weighted) == 3
    assert reading.total == pytest.approx(sum(reading.weighted), rel=1e-5)
    assert first.pictures[0].dtype == np.uint8 and first.pictures[0].shape == (36, 48, 3)
    with host.use(Recorder(folders, start=first.states[-1])):
        found, _ = painted(steps=6)
    assert found.numpy().tobytes() == wanted.numpy().tobytes()
    assert history.terms == ("term 0", "term 1", "total variation")
