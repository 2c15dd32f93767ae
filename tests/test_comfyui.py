"""The node pack inside a ComfyUI server, with the server's modules played by small fakes."""

from __future__ import annotations

import importlib.util
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nst_graph import comfy_host, host
from nst_graph.comfy_host import STEP_MESSAGE, ComfyHost
from nst_graph.comfy_nodes import adapted
from nst_graph.host import Reading, State, Update
from nst_graph.nodes import (
    NODE_CLASS_MAPPINGS,
    NODE_DISPLAY_NAME_MAPPINGS,
    STANDALONE_CLASS_MAPPINGS,
)
from nst_graph.values import EncoderChoice, Features, History, HistoryPoint

ROOT = Path(__file__).resolve().parent.parent


class Interrupted(Exception):
    """The server's InterruptProcessingException: a plain Exception there too."""


class FakeServer:
    """What the pack sees of a ComfyUI server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = "cpu"
        self.interrupted = False
        self.checks = 0
        self._cancel_at = -1
        self.progress: list[tuple[int, int, Any]] = []
        self.memory: list[str] = []
        self.messages: list[tuple[str, dict[str, Any], str]] = []
        self.flags: dict[str, Any] = {}

    def modules(self) -> dict[str, ModuleType]:
        management = _module(
            "comfy.model_management",
            get_torch_device=lambda: SimpleNamespace(type=self.device),
            processing_interrupted=self._asked,
            throw_exception_if_processing_interrupted=self._throw,
            unload_all_models=lambda: self.memory.append("unload"),
            soft_empty_cache=lambda: self.memory.append("empty"),
        )
        utils = _module("comfy.utils", ProgressBar=self._bar)
        folders = {
            f"get_{name}_directory": lambda name=name: str(self.folder / name)
            for name in ("input", "output", "temp", "user")
        }
        instance = SimpleNamespace(
            client_id="c1",
            last_node_id="7",
            sockets_metadata={"c1": {"feature_flags": self.flags}},
            send_sync=lambda *message: self.messages.append(message),
        )
        return {
            "comfy": _module("comfy", model_management=management, utils=utils),
            "comfy.model_management": management,
            "comfy.utils": utils,
            "execution": _module("execution"),
            "folder_paths": _module(
                "folder_paths",
                models_dir=str(self.folder / "models"),
                get_folder_paths=lambda name: {}[name],
                **folders,
            ),
            "server": _module("server", PromptServer=SimpleNamespace(instance=instance)),
        }

    def interrupt_after(self, checks: int) -> None:
        """As if Cancel were pressed after the pack has looked so many times."""
        self.checks, self._cancel_at = 0, checks + 1

    def _asked(self) -> bool:
        self.checks += 1
        self.interrupted = self.interrupted or self.checks == self._cancel_at
        return self.interrupted

    def _throw(self) -> None:
        if self.interrupted:
            self.interrupted = False
            raise Interrupted

    def _bar(self, total: int) -> Any:
        return SimpleNamespace(
            update_absolute=lambda value, total, preview=None: self.progress.append(
                (value, total, preview)
            )
        )


def _module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(content)
    return module


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    fake = FakeServer(tmp_path)
    for name, module in fake.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    yield fake


class Counter:
    """Stands for an optimisation: adds ``by`` to a tensor ``steps`` times, in place."""

    FUNCTION, CATEGORY, RETURN_TYPES = "count", "test", ("IMAGE", "NST_HISTORY")
    NUMERIC = True
    computed = 0
    on_step = staticmethod(lambda step: None)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("IMAGE",), "by": ("FLOAT", {}), "steps": ("INT", {})}}

    def count(self, image: torch.Tensor, by: float, steps: int) -> tuple[torch.Tensor, History]:
        service = host.current()
        state = service.load_checkpoint()
        first, value = 0, image.clone()
        if state is not None:
            first, value = state.facts["step"], state.tensors["value"].clone()
        for step in range(first + 1, steps + 1):
            value += by
            Counter.computed += 1
            self.on_step(step)
            orders = service.progress(
                Update(step, steps, 1, 1, 4, 4, step, 0.1 * step),
                lambda value=value: Reading(float(value.sum()), (1.0,), (2.0,)),
                lambda: np.zeros((4, 4, 3), np.uint8),
            )
            if orders.checkpoint or service.checkpoint_due():
                service.save_checkpoint(State({"value": value}, {"step": step}), step)
        point = HistoryPoint(steps, 1, 1.0, 2.0, (2.0,))
        return value, History(("count",), (point,))


@pytest.fixture
def counter(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Counter, "computed", 0)
    return adapted({"Counter": Counter})["Counter"]


def _count(counter: Any, by: float = 1.0, steps: int = 6) -> torch.Tensor:
    with torch.inference_mode():
        value: torch.Tensor = counter().count(image=torch.zeros(1, 4, 4, 3), by=by, steps=steps)[
            "result"
        ][0]
    return value


# -- the pack as a server loads it ---------------------------------------------------------


LOADER = """
import importlib.abc, importlib.util, json, sys
from types import ModuleType

root = sys.argv[1]
absent = {"torchvision", "textual", "platformdirs", "filelock", "psutil", "torch", "nst_graph"}

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in absent:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
for name in ("comfy", "comfy.model_management", "execution", "folder_paths"):
    sys.modules[name] = ModuleType(name)
sys.modules["nodes"] = ModuleType("nodes")
folder_paths = sys.modules["folder_paths"]
folder_paths.models_dir = folder_paths.base = root
folder_paths.get_folder_paths = lambda name: [root]
for kind in ("input", "output", "temp", "user"):
    setattr(folder_paths, f"get_{kind}_directory", lambda: root)
before = list(sys.path)
name = root.replace(".", "_x_")
spec = importlib.util.spec_from_file_location(
    name, root + "/__init__.py", submodule_search_locations=[root]
)
pack = importlib.util.module_from_spec(spec)
sys.modules[name] = pack
spec.loader.exec_module(pack)
assert sys.path == before
assert not vars(sys.modules["nodes"]).keys() & {"NODE_CLASS_MAPPINGS"}
for cls in pack.NODE_CLASS_MAPPINGS.values():
    cls.INPUT_TYPES()
print(json.dumps([sorted(pack.NODE_CLASS_MAPPINGS), pack.WEB_DIRECTORY]))
"""


def test_a_clone_loads_without_an_install_torch_or_a_change_of_the_path(tmp_path: Path) -> None:
    clone = tmp_path / "any-name.1"
    clone.mkdir()
    for name in ("__init__.py", "pyproject.toml", "nst_graph", "nodes", "web"):
        if (ROOT / name).exists():
            (clone / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADER, str(clone)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    classes, web = json.loads(done.stdout)
    assert set(classes) == set(NODE_CLASS_MAPPINGS)
    assert web == "./web"


def test_a_clone_imported_outside_a_server_offers_nothing() -> None:
    code = textwrap.dedent(f"""
        import importlib.util
        spec = importlib.util.spec_from_file_location("pack", {str(ROOT / "__init__.py")!r})
        pack = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(pack)
        assert not hasattr(pack, "NODE_CLASS_MAPPINGS")
    """)
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_node_or_display_name_of_the_server_is_taken() -> None:
    core = {"LoadImage", "LoadImageMask", "SaveImage", "PreviewImage"}
    assert core <= set(STANDALONE_CLASS_MAPPINGS)
    exported = set(NODE_CLASS_MAPPINGS)
    cards = {"VGGFeatures", "GramMatrix", "ContentLoss", "StyleLoss", "Optimize"}
    assert all(name.startswith("NST") or name in cards for name in exported)
    assert set(NODE_DISPLAY_NAME_MAPPINGS) <= exported


@pytest.mark.parametrize("name", sorted(NODE_CLASS_MAPPINGS))
def test_a_declaration_is_json_that_a_browser_can_read(name: str, server: FakeServer) -> None:
    cls: Any = adapted(NODE_CLASS_MAPPINGS)[name]
    text = json.dumps(cls.INPUT_TYPES(), allow_nan=False)
    assert text == json.dumps(cls.INPUT_TYPES(), allow_nan=False)
    assert cls.CATEGORY.startswith("nst")
    assert cls.DESCRIPTION.strip()
    assert len(getattr(cls, "OUTPUT_TOOLTIPS", ())) == len(cls.RETURN_TYPES)
    for part in ("required", "optional"):
        for input_name, spec in cls.INPUT_TYPES().get(part, {}).items():
            kind, options = spec[0], spec[1]
            assert options.get("tooltip"), f"{name}.{input_name} has no tooltip"
            if kind in ("INT", "FLOAT"):
                assert {"default", "min", "max"} <= options.keys(), f"{name}.{input_name}"
                assert options["max"] < 2**53
            if kind == "FLOAT" and "weight" in input_name:
                assert options.get("round") is False, f"{name}.{input_name} would be rounded"


@pytest.mark.parametrize("name", sorted(NODE_CLASS_MAPPINGS))
def test_fingerprints_take_every_input_and_linked_ones_as_none(name: str) -> None:
    cls: Any = NODE_CLASS_MAPPINGS[name]
    declared = cls.INPUT_TYPES()
    inputs = {**declared.get("required", {}), **declared.get("optional", {})}
    for method in ("IS_CHANGED", "VALIDATE_INPUTS"):
        function = getattr(cls, method, None)
        if function is None:
            continue
        signature = inspect.signature(function)
        takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        if method == "IS_CHANGED":
            signature.bind(**dict.fromkeys(inputs))
        else:
            assert takes_all or set(signature.parameters) <= set(inputs)
            function(**{p: None for p in signature.parameters if p in inputs})


# -- folders and device --------------------------------------------------------------------


def test_outside_any_run_the_server_supplies_the_folders(server: FakeServer) -> None:
    (server.folder / "input").mkdir()
    Image.new("RGB", (4, 4)).save(server.folder / "input" / "here.png")
    assert isinstance(host.current(), ComfyHost)
    declared = NODE_CLASS_MAPPINGS["NSTLoadImage"].INPUT_TYPES()  # type: ignore[attr-defined]
    assert "here.png" in declared["required"]["image"][0]
    assert host.current().folders.models == server.folder / "models" / "nst"


def test_our_own_runner_keeps_its_host_where_comfyui_is_loaded_too(server: FakeServer) -> None:
    mine = host.PlainHost()
    with host.use(mine):
        assert host.current() is mine


@pytest.mark.parametrize(
    ("servers", "ours"), [("cpu", "cpu"), ("cuda", "cuda"), ("mps", "mps"), ("xpu", "cpu")]
)
def test_the_server_chooses_the_device(server: FakeServer, servers: str, ours: str) -> None:
    server.device = servers
    assert ComfyHost().device == ours


def test_encoder_files_may_lie_where_the_server_was_told(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = str(server.folder / "elsewhere")
    monkeypatch.setattr(
        sys.modules["folder_paths"], "get_folder_paths", {"nst": [elsewhere, "x"]}.__getitem__
    )
    assert ComfyHost().folders.models == Path(elsewhere)


@pytest.mark.parametrize("fails", [False, True])
def test_on_a_gpu_models_make_way_and_memory_is_given_back(
    server: FakeServer, counter: Any, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.device = "cuda"

    def out_of_memory(step: int) -> None:
        assert server.memory == ["unload"]
        if fails:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Counter, "on_step", staticmethod(out_of_memory))
    if fails:
        with pytest.raises(torch.cuda.OutOfMemoryError):
            _count(counter)
    else:
        _count(counter)
    assert server.memory == ["unload", "empty"]


def test_light_nodes_and_the_cpu_leave_loaded_models_alone(
    server: FakeServer, counter: Any
) -> None:
    _count(counter)
    server.device = "cuda"
    resize: Any = adapted(NODE_CLASS_MAPPINGS)["NSTLuminance"]
    getattr(resize(), resize.FUNCTION)(image=torch.rand(1, 4, 4, 3))
    assert server.memory == []


# -- progress ------------------------------------------------------------------------------


def test_progress_is_throttled_and_ends_with_the_last_step_and_a_picture(
    server: FakeServer, counter: Any
) -> None:
    _count(counter, steps=500)
    steps = [value for value, _, _ in server.progress]
    assert steps == sorted(steps)
    assert len(steps) < 100
    assert server.progress[0][2] is not None
    last, total, (kind, picture, _) = server.progress[-1]
    assert (last, total, kind) == (500, 500, "JPEG")
    assert picture.size == (4, 4)


def test_losses_go_to_clients_that_ask_and_to_no_others(server: FakeServer, counter: Any) -> None:
    _count(counter)
    assert server.messages == []
    server.flags[STEP_MESSAGE] = True
    _count(counter, by=2.0)
    kind, message, client = server.messages[-1]
    assert (kind, client) == (STEP_MESSAGE, "c1")
    assert message["node"] == "7"
    assert message["step"] == 6
    assert message["total"] == pytest.approx(2.0 * 6 * 48)
    assert message["raw"] == (2.0,)
    json.dumps(message, allow_nan=False)


# -- cancel and go on ----------------------------------------------------------------------


def _cancel_at(server: FakeServer, monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    def step(step: int) -> None:
        server.interrupted = server.interrupted or step == wanted

    monkeypatch.setattr(Counter, "on_step", staticmethod(step))


def test_cancel_stops_within_the_step_and_the_item_goes_on_from_there(
    server: FakeServer, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cancel_at(server, monkeypatch, 4)
    with pytest.raises(Interrupted):
        _count(counter)
    assert Counter.computed == 4
    assert not server.interrupted
    monkeypatch.setattr(Counter, "on_step", staticmethod(lambda step: None))
    again = adapted({"Counter": Counter})["Counter"]
    assert torch.equal(_count(again), torch.full((1, 4, 4, 3), 6.0))
    assert Counter.computed == 6


def test_another_computation_does_not_meet_the_checkpoint(
    server: FakeServer, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cancel_at(server, monkeypatch, 4)
    with pytest.raises(Interrupted):
        _count(counter)
    monkeypatch.setattr(Counter, "on_step", staticmethod(lambda step: None))
    monkeypatch.setattr(Counter, "computed", 0)
    _count(counter, by=1.5)
    assert Counter.computed == 6


def test_a_finished_computation_leaves_no_checkpoint(
    server: FakeServer, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfy_host, "FIRST_CHECKPOINT", 0.0)
    kept: list[int] = []
    monkeypatch.setattr(
        Counter,
        "on_step",
        staticmethod(lambda step: kept.append(len(_checkpoints(server)))),
    )
    _count(counter)
    assert max(kept) > 0
    assert _checkpoints(server) == []


def _checkpoints(server: FakeServer) -> list[Path]:
    return list((server.folder / "user" / "nst-graph" / "checkpoints").glob("*/*/*"))


def test_a_user_folder_that_cannot_be_written_costs_only_the_checkpoints(
    server: FakeServer, counter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server.folder / "user").write_text("in the way")
    monkeypatch.setattr(comfy_host, "FIRST_CHECKPOINT", 0.0)
    assert torch.equal(_count(counter), torch.full((1, 4, 4, 3), 6.0))
    server.interrupted = True
    with pytest.raises(Interrupted):
        _count(counter, by=2.0)


def test_a_node_that_saves_no_checkpoint_stops_at_its_next_step(server: FakeServer) -> None:
    service = ComfyHost(["computation"])
    update = Update(1, 9, 1, 1, 4, 4, 1, 0.1)
    server.interrupted = True
    asked = service.progress(update, lambda: Reading(0.0, (), ()), lambda: np.zeros((1, 1, 3)))
    assert asked.checkpoint
    with pytest.raises(Interrupted):
        service.progress(update, lambda: Reading(0.0, (), ()), lambda: np.zeros((1, 1, 3)))


# -- fingerprints --------------------------------------------------------------------------


def test_a_fingerprint_follows_content_and_not_identity() -> None:
    def recipe(value: float, layer: str = "relu1_1") -> list[Any]:
        image = torch.full((1, 2, 2, 3), value)
        return ["Optimize", 1, {"f": Features(image, EncoderChoice(), (layer,)), "steps": 3}]

    assert comfy_host.fingerprint(recipe(0.5)) == comfy_host.fingerprint(recipe(0.5))
    others = [recipe(0.25), recipe(0.5, "relu2_1"), ["Optimize", 1, {"steps": 3}], 1, 1.0, "1"]
    digests = [comfy_host.fingerprint(other) for other in [recipe(0.5), *others]]
    assert len(set(digests)) == len(digests)
    half = torch.rand(3, 4).half()
    assert comfy_host.fingerprint(half) == comfy_host.fingerprint(half.clone())
    assert comfy_host.fingerprint(half) != comfy_host.fingerprint(half.reshape(4, 3))
    assert comfy_host.fingerprint(half.T) == comfy_host.fingerprint(half.T.contiguous())
    with pytest.raises(TypeError, match="object"):
        comfy_host.fingerprint([object()])


# -- what the node shows -------------------------------------------------------------------


def test_the_course_of_the_losses_is_shown_as_plot_and_as_numbers(server: FakeServer) -> None:
    points = tuple(
        HistoryPoint(step, 1, 0.1, 10.0 / step, (9.0 / step, float("nan")))
        for step in range(1, 1201)
    )
    from nst_graph.comfy_ui import POINTS, loss_curves

    shown = loss_curves(History(("style", "content"), points), server.folder / "temp")
    (named,) = shown["images"]
    assert named["type"] == "temp"
    with Image.open(server.folder / "temp" / named["filename"]) as plot:
        plot.load()
        assert plot.format == "PNG"
        assert len(plot.getcolors(1 << 20) or []) > 4
    (losses,) = json.loads(json.dumps(shown["nst_loss"], allow_nan=False))
    assert losses["terms"] == ["style", "content"]
    assert len(losses["points"]) <= POINTS + 1
    assert losses["points"][0] == [1, 10.0, 9.0, None]
    assert losses["points"][-1][0] == 1200


def test_a_temporary_folder_that_cannot_be_written_costs_only_the_plot(
    server: FakeServer, counter: Any
) -> None:
    (server.folder / "temp").write_text("in the way")
    returned = counter().count(image=torch.zeros(1, 4, 4, 3), by=1.0, steps=2)
    assert "images" not in returned["ui"]
    assert returned["ui"]["nst_loss"][0]["points"] == [[2, 2.0, 2.0]]


def test_a_losing_streak_of_zeros_and_infinities_can_still_be_drawn() -> None:
    from nst_graph.loss_plot import loss_plot

    for values in ([0.0], [0.0, float("inf")], [1.0], [1e-9, 0.0, 1e9, -1.0, 2.0]):
        points = tuple(HistoryPoint(i + 1, 1, 0.0, v, ()) for i, v in enumerate(values))
        assert loss_plot(History((), points)).width > 0


# -- generated files -----------------------------------------------------------------------


def test_help_pages_node_list_and_readme_are_current() -> None:
    from nst_graph.reference import generated, stale

    outdated = [
        str(path.relative_to(ROOT))
        for path, text in generated(ROOT).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert outdated == [], "python -m nst_graph.reference"
    assert stale(ROOT) == [], "python -m nst_graph.reference"


def test_example_workflows_are_current_and_have_pictures_of_nothing_else() -> None:
    from examples.workflows import FOLDER, workflows

    written = workflows()
    outdated = [
        name
        for name, text in written.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    assert outdated == [], "python -m examples.workflows"
    assert {path.stem for path in FOLDER.iterdir()} == {Path(name).stem for name in written}


def _shipped() -> dict[str, Path]:
    from nst_graph.document import shipped_graphs

    return shipped_graphs()


@pytest.mark.parametrize("name", sorted(_shipped()))
def test_an_example_workflow_turns_back_into_its_graph(name: str) -> None:
    from nst_graph.document import parse, read
    from nst_graph.registry import node_types

    graph = read(_shipped()[name]).nodes
    types = node_types()
    text = (ROOT / "example_workflows" / f"{name.replace('/', '-')}.json").read_bytes()
    back = parse(text, name, types).nodes
    assert back.keys() == graph.keys()
    for node, data in graph.items():
        declared = types[data["class_type"]].inputs
        defaults = {n: i.default for n, i in declared.items() if i.is_widget}
        assert back[node]["class_type"] == data["class_type"]
        assert back[node]["inputs"] == {**defaults, **data["inputs"]}
        assert back[node].get("_meta", {}).get("title") == data.get("_meta", {}).get("title")


@pytest.mark.parametrize("name", sorted(_shipped()))
def test_a_shipped_graph_gives_a_server_every_input_it_requires(name: str) -> None:
    """A server fills in no defaults, and nothing may be linked from its SaveImage."""
    from nst_graph.document import read
    from nst_graph.registry import node_types

    types = node_types()
    graph = read(_shipped()[name]).nodes
    for node, data in graph.items():
        known = types[data["class_type"]]
        required = {item.name for item in known.inputs.values() if item.required}
        missing = required - data["inputs"].keys()
        assert not missing, f"{name} #{node} {data['class_type']} lacks {missing}"
        for value in data["inputs"].values():
            if isinstance(value, list):
                assert graph[value[0]]["class_type"] not in ("SaveImage", "PreviewImage")
        assert node.isdecimal()


# -- nst comfyui install -------------------------------------------------------------------


def test_install_hands_the_installed_package_to_a_comfyui(tmp_path: Path) -> None:
    from nst_graph import cli

    (tmp_path / "custom_nodes").mkdir()
    assert cli.main(["comfyui", "install", str(tmp_path)]) == 0
    pack = tmp_path / "custom_nodes" / "nst_graph_pack"
    pages = {path.stem for path in (pack / "web" / "docs").glob("*.md")}
    assert pages == set(NODE_CLASS_MAPPINGS)
    assert (pack / "example_workflows" / "quickstart.json").is_file()
    assert (tmp_path / "input" / "nst_harbour.jpg").is_file()
    spec = importlib.util.spec_from_file_location("nst_graph_pack", pack / "__init__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.NODE_CLASS_MAPPINGS.keys() == NODE_CLASS_MAPPINGS.keys()
    assert issubclass(module.NODE_CLASS_MAPPINGS["Optimize"], NODE_CLASS_MAPPINGS["Optimize"])
    (tmp_path / "input" / "nst_harbour.jpg").write_bytes(b"the user's own")
    assert cli.main(["comfyui", "install", str(tmp_path)]) == 0
    assert (tmp_path / "input" / "nst_harbour.jpg").read_bytes() == b"the user's own"


def test_install_refuses_what_is_no_comfyui_and_one_that_has_a_clone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nst_graph import cli

    assert cli.main(["comfyui", "install", str(tmp_path)]) == 2
    (tmp_path / "custom_nodes").mkdir()
    (tmp_path / "custom_nodes" / "nst-graph").symlink_to(ROOT)
    assert cli.main(["comfyui", "install", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "custom_nodes" in told
    assert "twice" in told


# -- tensors as servers hand them over -----------------------------------------------------


def _call(name: str, **inputs: Any) -> Any:
    cls: Any = adapted(NODE_CLASS_MAPPINGS)[name]
    return getattr(cls(), cls.FUNCTION)(**inputs)


def test_optimize_takes_half_precision_batches_and_inference_tensors(server: FakeServer) -> None:
    """And leaves them as they are: a server shares its cached tensors between nodes."""
    with torch.inference_mode():
        image = torch.rand(2, 24, 32, 3, generator=torch.Generator().manual_seed(1)).half()
        before = image.clone()
        features = _call("VGGFeatures", image=image, encoder="compact", layers="relu1_1,relu2_1")[0]
        gram = _call("GramMatrix", features=features)[0]
        style = _call("StyleLoss", gram=gram, weight=1.0)[0]
        returned = _call("Optimize", image=image, loss_1=style, steps=2, size=0, precision="fp32")
    painted, history = returned["result"]
    assert painted.shape == (2, 24, 32, 3)
    assert painted.dtype == torch.float32
    assert painted.device.type == "cpu"
    assert 0.0 <= float(painted.min()) <= float(painted.max()) <= 1.0
    assert torch.equal(image, before)
    assert history.points
    assert returned["ui"]["images"][0]["type"] == "temp"


def test_optimize_is_cancelled_within_a_step_and_goes_on_to_the_same_picture(
    server: FakeServer,
) -> None:
    image = torch.rand(1, 24, 32, 3, generator=torch.Generator().manual_seed(1))
    features = _call(
        "VGGFeatures", image=image.flip(1), encoder="compact", layers="relu1_1,relu2_1"
    )[0]
    gram = _call("GramMatrix", features=features)[0]
    style = _call("StyleLoss", gram=gram, weight=1.0)[0]

    def paint() -> torch.Tensor:
        with torch.inference_mode():
            painted: torch.Tensor = _call(
                "Optimize", image=image, loss_1=style, steps=8, size=0, precision="fp32"
            )["result"][0]
        return painted

    whole = paint()
    server.progress.clear()
    server.interrupt_after(3)
    with pytest.raises(Interrupted):
        paint()
    assert server.checks == 4
    server.progress.clear()
    assert torch.equal(paint(), whole)
    assert server.progress[0][0] == 5
