from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """A helper module that lies beside the tests (they are no package)."""
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


for _name in ("pack", "fakes", "terminal", "editor_pack", "tiny", "disk"):
    _load(_name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests against a ComfyUI server are for those who name one."""
    if os.environ.get("NST_COMFYUI_URL"):
        return
    here = [item for item in items if item.get_closest_marker("comfyui") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in here])
    items[:] = here


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or touches the user's own runs, results and weights."""
    monkeypatch.setenv("NST_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("NST_OFFLINE", "1")


@pytest.fixture
def engine_pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The registry holds only the engine's test nodes; ``CALLS`` starts empty."""
    from nst_graph import registry

    pack = _load("pack")
    monkeypatch.setattr(registry, "node_classes", lambda: pack.CLASSES)
    pack.CALLS.clear()
    yield pack
