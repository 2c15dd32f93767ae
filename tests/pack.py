"""A small pack of nodes for testing the engine: no torch, no pictures, everything observable."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from nst_graph import host
from nst_graph.errors import NodeError
from nst_graph.host import Orders, Reading, State, Update

CALLS: list[str] = []
"""Names of the nodes that ran in this process, in order."""


class Number:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"value": ("INT", {"default": 1, "min": -100, "max": 100})}}

    def run(self, value: int) -> tuple[int]:
        CALLS.append(f"Number {value}")
        return (value,)


class FileNumber:
    """Reads a number from a file in the input folder."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"image": ("STRING", {"image_upload": True})}}

    @classmethod
    def IS_CHANGED(cls, image: str) -> str:
        return host.current().folders.find(image).read_text()

    def run(self, image: str) -> tuple[int]:
        CALLS.append("FileNumber")
        return (int(host.current().folders.find(image).read_text()),)


class Add:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"a": ("NUMBER",), "b": ("NUMBER",)}}

    def run(self, a: int, b: int) -> tuple[int]:
        CALLS.append("Add")
        return (a + b,)


class Fail:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "a": ("NUMBER",),
                "how": (["user", "bug", "memory", "short"],),
            }
        }

    def run(self, a: int, how: str) -> Any:
        CALLS.append("Fail")
        if how == "user":
            raise NodeError("this never works; use another node")
        if how == "memory":
            raise MemoryError
        if how == "short":
            return ()
        raise ZeroDivisionError("a bug")


class Split:
    FUNCTION, CATEGORY, RETURN_TYPES, OUTPUT_IS_LIST = "run", "test", ("NUMBER",), (True,)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"a": ("NUMBER",)}}

    def run(self, a: int) -> tuple[list[int]]:
        return (list(range(a)),)


class Gather:
    FUNCTION, CATEGORY, RETURN_TYPES, INPUT_IS_LIST = "run", "test", ("NUMBER",), True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"a": ("NUMBER",)}}

    def run(self, a: list[int]) -> tuple[int]:
        return (sum(a),)


class Weight:
    """A loss of one term."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NST_LOSS",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        options = {"default": 1.0, "min": 0.0, "max": 10.0}
        return {"required": {"weight": ("FLOAT", options)}}

    def run(self, weight: float) -> tuple[tuple[float, ...]]:
        CALLS.append("Weight")
        return ((weight,),)


class Climb:
    """A pretended optimisation: adds its weights up, step by step, with checkpoints."""

    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("NUMBER",)
    NUMERIC = True
    PAUSE: ClassVar[float] = 0.0

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "loss_1": ("NST_LOSS",),
                "steps": ("INT", {"default": 5, "min": 1, "max": 100000}),
            },
            "optional": {
                "loss_2": ("NST_LOSS",),
                "pause": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0}),
            },
        }

    def run(
        self,
        loss_1: tuple[float, ...],
        steps: int,
        loss_2: tuple[float, ...] = (),
        pause: float = 0.0,
    ) -> tuple[float]:
        import numpy as np
        import torch

        CALLS.append("Climb")
        service = host.current()
        weights = [*loss_1, *loss_2]
        service.terms(len(weights))
        total, start = 0.0, 0
        resumed = service.load_checkpoint()
        if resumed is not None:
            total = float(resumed.tensors["total"])
            start = int(resumed.facts["step"])
            weights = list(resumed.facts["weights"])
            CALLS.append(f"resumed at {start}")
        for step in range(start + 1, steps + 1):
            total += sum(weights) / step
            time.sleep(pause)
            orders: Orders = service.progress(
                Update(step, steps, 1, 1, 4, 4, step, step * 0.01),
                lambda: Reading(sum(weights), tuple(weights), tuple(weights)),
                lambda: np.zeros((4, 4, 3), np.uint8),
            )
            for index, value in orders.weights.items():
                weights[index] = value
            if orders.checkpoint or service.checkpoint_due():
                state = {"total": torch.tensor(total, dtype=torch.float64)}
                service.save_checkpoint(State(state, {"step": step, "weights": weights}), step)
            if orders.stop:
                break
        return (total,)


class Write:
    """Writes its number into the output folder."""

    FUNCTION, CATEGORY, RETURN_TYPES, OUTPUT_NODE = "run", "test", (), True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "a": ("NUMBER",),
                "prefix": ("STRING", {"default": "n"}),
            },
            "hidden": {"prompt": "PROMPT", "extra": "EXTRA_PNGINFO"},
        }

    def run(self, a: Any, prefix: str, prompt: Any, extra: Any) -> dict[str, Any]:
        import json

        from nst_graph import files

        CALLS.append("Write")
        folder = host.current().folders.output
        text = json.dumps({"value": a, "prompt": prompt, "nst": extra["nst"]})
        path = files.publish(text.encode(), lambda n: folder / f"{prefix}_{n:05d}_.txt")
        shown = {"filename": path.name, "subfolder": "", "type": "output"}
        return {"ui": {"files": [shown]}}


CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (Number, FileNumber, Add, Fail, Split, Gather, Weight, Climb, Write)
}


def node(class_type: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    """A node of an API graph; a tuple is a link."""
    data: dict[str, Any] = {
        "class_type": class_type,
        "inputs": {k: list(v) if isinstance(v, tuple) else v for k, v in inputs.items()},
    }
    if title:
        data["_meta"] = {"title": title}
    return data


def save(path: Path, **nodes: Any) -> Path:
    """Write an API graph; ``n1=…`` becomes node "1"."""
    import json

    path.write_text(json.dumps({name.lstrip("n"): data for name, data in nodes.items()}))
    return path
