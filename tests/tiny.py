"""A small random encoder and small pictures for the tests of the mathematics."""

from __future__ import annotations

from functools import cache
from typing import Any

STYLE = ("relu1_1", "relu2_1", "relu3_1")
CONTENT = ("relu3_2",)


@cache
def encoder(seed: int = 0, calibrate: bool = True, **options: Any) -> Any:
    """An encoder of three blocks with 6, 8 and 10 channels, max pooling and zero padding."""
    import torch

    torch.set_num_threads(1)  # tests run side by side, and the tensors are tiny
    from nst_graph.style.architecture import Architecture
    from nst_graph.style.encoder import Encoder
    from nst_graph.style.weights_files import canonical
    from nst_graph.style.weights_format import expected

    architecture = Architecture((6, 8, 10), (2, 2, 2))
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in expected(architecture, STYLE if calibrate else ()).items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("whiten"):
            tensors[name] = torch.eye(shape[0]) + 0.1 * (noise + noise.T)
        else:
            fan_in = shape[1] * 9 if len(shape) == 4 else 10
            tensors[name] = noise * (2 / fan_in) ** 0.5
    return Encoder("tiny", canonical(architecture, tensors), **options)


def picture(height: int = 48, width: int = 56, seed: int = 1, count: int = 1) -> Any:
    """A smooth random IMAGE [count, height, width, 3] float32."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 7, 9, generator=generator)
    size = (height, width)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bilinear", align_corners=False)
    fine = torch.rand(smooth.shape, generator=generator)
    return (0.8 * smooth + 0.2 * fine).movedim(1, -1).contiguous()


def features(image: Any, layers: tuple[str, ...] = (*STYLE, *CONTENT)) -> Any:
    from nst_graph.values import EncoderChoice, Features

    return Features(image, EncoderChoice("tiny"), layers)


def style(image: Any, layers: tuple[str, ...] = STYLE, **options: Any) -> Any:
    """GRAM of one picture; ``mask``, ``scale`` and ``augment`` are those of StyleSource."""
    from nst_graph.values import Gram, StyleSource

    return Gram((StyleSource(features(image), **options),), layers)


def terms(content: Any, painting: Any, weight: float = 0.02) -> list[Any]:
    from nst_graph.values import ContentTerm, StyleTerm

    return [
        ContentTerm(features(content), CONTENT, weight),
        StyleTerm(style(painting), layer_weights="equal"),
    ]
