"""The node pack as ComfyUI gets it: every class of :mod:`nst_graph.nodes`, served by our host.

Each class is exported as a subclass whose function sets the host for the call, makes room on the
device before numeric work and gives memory back after it, and adds the loss curves to what the
node shows. The declaration that the server reads is untouched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from nst_graph import host
from nst_graph.comfy_host import ComfyHost
from nst_graph.comfy_ui import loss_curves
from nst_graph.values import History


def adapted(classes: Mapping[str, type]) -> dict[str, type]:
    """``classes`` by id for the NODE_CLASS_MAPPINGS of a pack."""
    return {node_id: _adapted(node_id, cls) for node_id, cls in classes.items()}


def _adapted(node_id: str, cls: Any) -> type:
    function: Callable[..., Any] = getattr(cls, cls.FUNCTION)
    numeric = bool(getattr(cls, "NUMERIC", False))

    @functools.wraps(function)
    def call(self: Any, **inputs: Any) -> Any:
        if not numeric:
            with host.use(ComfyHost()):
                return function(self, **inputs)
        service = ComfyHost([node_id, getattr(cls, "VERSION", 1), inputs])
        with _DeviceMemory(service), host.use(service):
            returned = function(self, **inputs)
        service.forget_checkpoints()
        return _with_curves(returned, service)

    return type(cls.__name__, (cls,), {cls.FUNCTION: call, "__module__": cls.__module__})


class _DeviceMemory:
    """Room on the device for the block: the server's models make way, our leftovers go after."""

    def __init__(self, service: ComfyHost) -> None:
        self._wanted = service.device != "cpu"

    def __enter__(self) -> None:
        if self._wanted:
            import comfy.model_management

            comfy.model_management.unload_all_models()

    def __exit__(self, *error: object) -> None:
        if self._wanted:
            import comfy.model_management

            comfy.model_management.soft_empty_cache()


def _with_curves(returned: Any, service: ComfyHost) -> Any:
    """``returned`` with a plot of the History among its results, if there is one to plot."""
    if not isinstance(returned, tuple):
        return returned
    histories = [value for value in returned if isinstance(value, History) and value.points]
    if not histories:
        return returned
    return {"ui": loss_curves(histories[0], service.folders.temp), "result": returned}
