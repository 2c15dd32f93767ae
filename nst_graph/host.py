"""The bridge between a node and whoever executes it: our runner, or a ComfyUI server.

A node calls :func:`current` and gets folders, device, progress, checkpoints and the wish to stop,
without knowing who provides them. The host is a context variable: whoever executes a node sets it
with :func:`use`, and code that starts threads passes it on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nst_graph.folders import Folders, models_folder

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Reading:
    """Loss values of one evaluation: the total and, in the order of terms, weighted and raw.

    ``own`` names the last of them: terms the node adds to those of its inputs.
    """

    total: float
    weighted: tuple[float, ...]
    raw: tuple[float, ...]
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """One accepted iterate. ``step`` runs over all scales; ``scale`` counts from 1.

    ``preview``: the user wants (or does not want) a picture of this very step; None: the host
    decides.
    """

    step: int
    steps: int
    scale: int
    scales: int
    width: int
    height: int
    evaluations: int
    seconds: float
    preview: bool | None = None


@dataclass(frozen=True)
class Orders:
    """What the host asks of an optimisation after a step.

    ``stop``: end now and return the picture as it is. ``weights``: new weights by term index, in
    force from the next step on. ``checkpoint``: save a checkpoint although none is due.
    """

    stop: bool = False
    weights: Mapping[int, float] = field(default_factory=dict)
    checkpoint: bool = False


@dataclass(frozen=True)
class State:
    """A checkpoint: tensors by name and JSON-serialisable facts. Everything a resume needs."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Host(Protocol):
    """Services for a node while it runs. All methods may be called from the node's thread only."""

    @property
    def folders(self) -> Folders: ...

    @property
    def device(self) -> str:
        """``cpu``, ``cuda`` or ``mps``: resolved, never ``auto``."""

    @property
    def memory_limit(self) -> int | None:
        """Bytes beyond which a node shall refuse to begin; None: it may try."""

    def terms(self, count: int) -> tuple[str, ...] | None:
        """Names for the ``count`` loss terms of this node, from the graph; None if unknown."""

    def progress(
        self,
        update: Update,
        read: Callable[[], Reading],
        picture: Callable[[], np.ndarray],
    ) -> Orders:
        """Report one accepted iterate; to be called after every one.

        ``read`` and ``picture`` are called only when the host wants the numbers or the picture
        (uint8 [H, W, 3] of the first frame): on a GPU each call waits for the device.

        Raises:
            Cancelled: stop at once, without a result.
        """

    def load_checkpoint(self) -> State | None:
        """The newest checkpoint of this very computation, if there is one."""

    def checkpoint_due(self) -> bool: ...

    def save_checkpoint(self, state: State, step: int) -> None: ...

    def note(self, message: str) -> None:
        """Tell the user something worth knowing, once."""


class PlainHost:
    """A host for using the nodes from Python code: no display, no checkpoints, never stops."""

    memory_limit: int | None = None

    def __init__(self, folders: Folders | None = None, device: str = "cpu") -> None:
        here = Path.cwd()
        self.folders = folders or Folders(
            (here,), here / "output", here / "output" / "temp", models_folder()
        )
        self.device = device
        self.notes: list[str] = []

    def terms(self, count: int) -> tuple[str, ...] | None:
        return None

    def progress(
        self,
        update: Update,
        read: Callable[[], Reading],
        picture: Callable[[], np.ndarray],
    ) -> Orders:
        return Orders()

    def load_checkpoint(self) -> State | None:
        return None

    def checkpoint_due(self) -> bool:
        return False

    def save_checkpoint(self, state: State, step: int) -> None:
        """Keeps none."""

    def note(self, message: str) -> None:
        self.notes.append(message)


COMFYUI = frozenset({"comfy.model_management", "execution", "folder_paths"})
"""A process that has all of these modules loaded is a ComfyUI server."""

_current: ContextVar[Host | None] = ContextVar("nst_graph_host", default=None)


def current() -> Host:
    """The host of the running node; outside any run ComfyUI's, where there is one, or a plain one.

    ComfyUI asks classes for their declaration and for their inputs' fingerprints outside any run.
    """
    running = _current.get()
    if running is not None:
        return running
    if sys.modules.keys() >= COMFYUI:
        from nst_graph.comfy_host import ComfyHost

        return ComfyHost()
    return PlainHost()


@contextmanager
def use(host: Host) -> Iterator[None]:
    token = _current.set(host)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def training_scope() -> Iterator[None]:
    """Allow gradients inside a host that runs nodes under ``torch.inference_mode()``.

    Tensors that come from other nodes must be cloned inside the scope: see :func:`own`.
    """
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        yield


def own(tensor: Tensor, device: str | None = None) -> Tensor:
    """A float32 copy of another node's tensor that may take part in a gradient."""
    import torch

    return tensor.detach().to(device or current().device, torch.float32, copy=True)
