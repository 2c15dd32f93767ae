"""Our host inside a ComfyUI server: its folders, device, progress bar, Cancel button and memory.

Nothing of ComfyUI is imported before a server has done so itself. One :class:`ComfyHost` serves
one call of one node; :mod:`nst_graph.comfy_nodes` makes it.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst_graph.fingerprint import fingerprint
from nst_graph.folders import Folders
from nst_graph.host import Orders, Reading, State, Update
from nst_graph.store import Store

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image as Picture

UPDATES_PER_SECOND = 10
PREVIEW_SHARE = 10
"""Making previews may take one part in this many of the time."""
PREVIEW_SIDE = 512
FIRST_CHECKPOINT = 5.0
CHECKPOINT_SHARE = 50
CHECKPOINTS_LIMIT = 1 << 30
"""Bytes of abandoned checkpoints that are kept."""
STEP_MESSAGE = "nst_graph_step"
"""Websocket message (and the feature flag that asks for it) with the fields of an Update and a
Reading; clients that do not ask never get it."""


def server_folders() -> Folders:
    """The server's folders. Encoder files lie in ``models/nst``, or where its settings say."""
    import folder_paths

    models = Path(folder_paths.models_dir) / "nst"
    with suppress(KeyError, IndexError):
        models = Path(folder_paths.get_folder_paths("nst")[0])
    return Folders(
        (Path(folder_paths.get_input_directory()),),
        Path(folder_paths.get_output_directory()),
        Path(folder_paths.get_temp_directory()),
        models,
    )


class ComfyHost:
    """Serves one call of a node in a ComfyUI server.

    ``computation`` is everything that decides the node's result (its class, version and inputs):
    equal computations share their checkpoints, so that a queue item that was cancelled, or whose
    server died, goes on from its step when it is queued again.
    """

    def __init__(self, computation: Any = None) -> None:
        self._computation = computation
        self._key: str | None = None
        self._noted: set[str] = set()
        self._bar: Any = None
        self._last_update = 0.0
        self._next_preview = 0.0
        self._checkpoint_at = time.monotonic() + FIRST_CHECKPOINT
        self._interrupted = False

    @property
    def folders(self) -> Folders:
        return server_folders()

    @property
    def device(self) -> str:
        import comfy.model_management

        kind = str(comfy.model_management.get_torch_device().type)
        return kind if kind in ("cuda", "mps") else "cpu"

    @property
    def memory_limit(self) -> int | None:
        return None

    def terms(self, count: int) -> tuple[str, ...] | None:
        return None

    def note(self, message: str) -> None:
        if message not in self._noted:
            self._noted.add(message)
            logging.info("nst-graph: %s", message)

    # -- progress --------------------------------------------------------------------------

    def progress(
        self,
        update: Update,
        read: Callable[[], Reading],
        picture: Callable[[], np.ndarray],
    ) -> Orders:
        """Progress bar, preview and interrupt check.

        On Cancel the node is first asked for a checkpoint; the server's interrupt is raised when
        it has been saved, or at the next step if the node saves none.
        """
        import comfy.model_management

        if self._interrupted:
            comfy.model_management.throw_exception_if_processing_interrupted()
        if comfy.model_management.processing_interrupted():
            if self._computation is None or update.step >= update.steps:
                comfy.model_management.throw_exception_if_processing_interrupted()
            self._interrupted = True
            return Orders(checkpoint=True)
        now = time.monotonic()
        last = update.step >= update.steps
        if last or update.preview or now - self._last_update >= 1 / UPDATES_PER_SECOND:
            self._last_update = now
            self._show(update, read, picture)
        return Orders()

    def _show(
        self, update: Update, read: Callable[[], Reading], picture: Callable[[], np.ndarray]
    ) -> None:
        import comfy.utils

        _send_step(update, read)
        if self._bar is None:
            self._bar = comfy.utils.ProgressBar(update.steps)
        preview: tuple[str, Picture, None] | None = None
        started = time.monotonic()
        timely = started >= self._next_preview
        if update.step >= update.steps or (timely if update.preview is None else update.preview):
            from PIL import Image

            image = Image.fromarray(picture())
            image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
            preview = ("JPEG", image, None)
        self._bar.update_absolute(update.step, update.steps, preview)
        if preview is not None:
            self._next_preview = started + PREVIEW_SHARE * (time.monotonic() - started)

    # -- checkpoints -----------------------------------------------------------------------

    def load_checkpoint(self) -> State | None:
        if self._computation is None:
            return None
        store = _store()
        with suppress(OSError):
            store.prune(CHECKPOINTS_LIMIT)
        state = store.load_checkpoint(self._checkpoint_key())
        if state is not None:
            self.note("goes on from the checkpoint of an earlier, interrupted run")
        return state

    def checkpoint_due(self) -> bool:
        return self._computation is not None and time.monotonic() >= self._checkpoint_at

    def save_checkpoint(self, state: State, step: int) -> None:
        import comfy.model_management

        if self._computation is not None:
            started = time.monotonic()
            try:
                _store().save_checkpoint(self._checkpoint_key(), step, state)
            except OSError as error:
                self.note(f"no checkpoint saved: {error.strerror or error}")
                started -= 60 / CHECKPOINT_SHARE  # try again in a minute
            cost = time.monotonic() - started
            self._checkpoint_at = time.monotonic() + max(FIRST_CHECKPOINT, CHECKPOINT_SHARE * cost)
        if self._interrupted:
            comfy.model_management.throw_exception_if_processing_interrupted()

    def forget_checkpoints(self) -> None:
        """The computation is complete; the server's own cache has its result."""
        if self._key is not None:
            with suppress(OSError):
                _store().forget_checkpoints(self._key)

    def _checkpoint_key(self) -> str:
        if self._key is None:
            import torch

            self._key = fingerprint(
                [self._computation, self.device, torch.get_num_threads(), torch.__version__]
            )
        return self._key


def _store() -> Store:
    import folder_paths

    return Store(Path(folder_paths.get_user_directory()) / "nst-graph")


def _send_step(update: Update, read: Callable[[], Reading]) -> None:
    """Tell the client that queued the graph the losses, if it has asked for them."""
    server: Any = getattr(sys.modules.get("server"), "PromptServer", None)
    instance: Any = getattr(server, "instance", None)
    client = getattr(instance, "client_id", None)
    listening: Mapping[str, Any] = getattr(instance, "sockets_metadata", {})
    if instance is None or client is None or not _asked(listening.get(client)):
        return
    node = getattr(instance, "last_node_id", None)
    reading = read()
    message = {"node": node, **asdict(update), **asdict(reading)}
    instance.send_sync(STEP_MESSAGE, message, client)


def _asked(metadata: Any) -> bool:
    flags = metadata.get("feature_flags") if isinstance(metadata, Mapping) else None
    return isinstance(flags, Mapping) and flags.get(STEP_MESSAGE) is True
