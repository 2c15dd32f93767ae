"""For testing the editor: declarations like those of the built-in pack, and keys to press.

Nothing in the nodes runs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from nst_graph import host, registry

PICTURES = ("content.png", "style.png", "waves.png")


class Node:
    FUNCTION = "run"
    CATEGORY = "nst/test"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return cls.INPUTS

    def run(self, **values: Any) -> tuple[()]:
        return ()


class LoadImage(Node):
    RETURN_TYPES = ("IMAGE", "MASK")
    DESCRIPTION = "A picture from the input folder."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        names = host.current().folders.pictures() or list(PICTURES)
        options = {"image_upload": True, "tooltip": "the picture's name"}
        return {"required": {"image": (names, options)}}


class VGGFeatures(Node):
    RETURN_TYPES = ("VGG_FEATURES",)
    RETURN_NAMES = ("features",)
    DESCRIPTION = "What a network sees in a picture."
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {
            "image": ("IMAGE",),
            "encoder": (["compact", "vgg19", "vgg16"], {"tooltip": "the network"}),
            "layers": ("STRING", {"default": "relu1_1,relu4_2", "multiline": True}),
        }
    }


class GramMatrix(Node):
    RETURN_TYPES = ("GRAM",)
    RETURN_NAMES = ("gram",)
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {"features": ("VGG_FEATURES",), "layers": ("STRING", {"default": ""})},
        "optional": {"mask": ("MASK",)},
    }


_WEIGHT = ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1e12, "step": 0.1, "round": False})


class ContentLoss(Node):
    RETURN_TYPES = ("NST_LOSS",)
    RETURN_NAMES = ("loss",)
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {"features": ("VGG_FEATURES",), "weight": _WEIGHT},
        "optional": {"mask": ("MASK",)},
    }


class StyleLoss(Node):
    RETURN_TYPES = ("NST_LOSS",)
    RETURN_NAMES = ("loss",)
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {
            "gram": ("GRAM",),
            "weight": _WEIGHT,
            "kind": (["gram", "sliced", "mean_std"],),
        },
    }


class NSTTotalVariation(Node):
    RETURN_TYPES = ("NST_LOSS",)
    RETURN_NAMES = ("loss",)
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {"required": {"weight": _WEIGHT}}


class Optimize(Node):
    RETURN_TYPES = ("IMAGE", "NST_HISTORY")
    RETURN_NAMES = ("image", "history")
    DESCRIPTION = "Paints: changes the pixels until the losses are small."
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {
            "image": ("IMAGE",),
            "loss_1": ("NST_LOSS",),
            "optimizer": (["lbfgs", "adam"],),
            "steps": ("INT", {"default": 200, "min": 1, "max": 100000}),
            "clamp": ("BOOLEAN", {"default": True}),
            "seed": ("INT", {"default": 0, "min": 0, "max": 2**32 - 1}),
        },
        "optional": {f"loss_{i}": ("NST_LOSS",) for i in range(2, 9)},
    }


class SaveImage(Node):
    OUTPUT_NODE = True
    INPUTS: ClassVar[dict[str, dict[str, Any]]] = {
        "required": {"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "nst"})}
    }


CLASSES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        *(LoadImage, VGGFeatures, GramMatrix, ContentLoss, StyleLoss, NSTTotalVariation),
        *(Optimize, SaveImage),
    )
}


def types() -> dict[str, registry.NodeType]:
    """The declarations, without touching the registry."""
    return {name: registry._describe(name, cls) for name, cls in sorted(CLASSES.items())}


def quickstart() -> dict[str, dict[str, Any]]:
    """Content and style picture, one loss each, Optimize, SaveImage: eight nodes."""

    def node(class_type: str, /, **inputs: Any) -> dict[str, Any]:
        given = {k: list(v) if isinstance(v, tuple) else v for k, v in inputs.items()}
        return {"class_type": class_type, "inputs": given}

    return {
        "1": node("LoadImage", image="content.png"),
        "2": node("LoadImage", image="style.png"),
        "3": node("VGGFeatures", image=("1", 0), encoder="compact", layers="relu4_2"),
        "4": node("VGGFeatures", image=("2", 0), encoder="compact", layers="relu1_1,relu2_1"),
        "5": node("ContentLoss", features=("3", 0), weight=1.0),
        "6": node("GramMatrix", features=("4", 0), layers=""),
        "7": node("StyleLoss", gram=("6", 0), weight=1.0, kind="gram"),
        "8": node(
            "Optimize",
            image=("1", 0),
            loss_1=("5", 0),
            loss_2=("7", 0),
            optimizer="lbfgs",
            steps=200,
            clamp=True,
            seed=0,
        ),
        "9": node("SaveImage", images=("8", 0), filename_prefix="nst"),
    }


def large(count: int) -> dict[str, dict[str, Any]]:
    """About ``count`` nodes: copies of the quickstart graph side by side."""
    nodes: dict[str, dict[str, Any]] = {}
    while len(nodes) < count:
        base = len(nodes)
        for name, data in quickstart().items():
            inputs = {
                key: [str(int(value[0]) + base), value[1]] if isinstance(value, list) else value
                for key, value in data["inputs"].items()
            }
            nodes[str(int(name) + base)] = {**data, "inputs": inputs}
    return dict(list(nodes.items())[:count])


def pictures(folder: Path) -> None:
    """Three tiny pictures that the graphs name."""
    from PIL import Image

    for index, name in enumerate(PICTURES):
        Image.new("RGB", (16, 12), (80 * index, 120, 200)).save(folder / name)


WIDE, SMALL = (120, 40), (80, 24)


class Editor:
    """The open editor and a way to press keys in it."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self.app, self.pilot = app, pilot
        self.pressed = 0

    @property
    def screen(self) -> Any:
        return self.app.screen

    async def press(self, *keys: str) -> None:
        """Press keys; a text in quotes is typed."""
        single = [k for key in keys for k in (key[1:-1] if key[0] == key[-1] == '"' else [key])]
        self.pressed += len(single)
        await self.pilot.press(*(_NAMES.get(key, key) for key in single))

    @property
    def nodes(self) -> Any:
        return self.screen.nodes

    @property
    def message(self) -> str:
        from nst_graph.tui.widgets.bars import Message

        return str(self.screen.query_one(Message).text)

    def classes(self) -> list[str]:
        return sorted(data["class_type"] for data in self.nodes.values())

    def shown(self) -> str:
        """The canvas as text."""
        rows = self.screen.canvas.grid.codes
        return "\n".join("".join(chr(c) for c in row if c) for row in rows)


_NAMES = {
    " ": "space",
    "/": "slash",
    ".": "full_stop",
    "-": "minus",
    "_": "underscore",
    "<": "less_than_sign",
    ">": "greater_than_sign",
}


def opener(monkeypatch: Any, folder: Path) -> Any:
    """Opens editors over this pack, in ``folder``, which gets the pictures."""
    from nst_graph.tui.app import NstApp

    monkeypatch.setattr(registry, "node_classes", lambda: CLASSES)
    monkeypatch.chdir(folder)
    pictures(folder)

    @asynccontextmanager
    async def opened(
        graph: Any = None, size: tuple[int, int] = WIDE, name: str = "graph.json"
    ) -> AsyncIterator[Editor]:
        if isinstance(graph, dict):
            Path(name).write_text(json.dumps(graph))
            graph = name
        app = NstApp("edit", graph=graph)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            editor = Editor(app, pilot)
            if graph is None:
                await editor.press("enter")  # "new graph" is the first choice
            editor.pressed = 0
            yield editor

    return opened
