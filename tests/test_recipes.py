"""Named recipes against references written here from the formulas alone.

The reference knows nothing of the project but the numbers of the (random) weights: a VGG-19 to
relu5_1 with a sixteenth of the channels, the losses of each program, and Adam.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nst_graph.style.architecture import VGG19, Architecture
from nst_graph.style.encoder import Encoder
from nst_graph.style.objective import Objective
from nst_graph.style.optimise import optimise
from nst_graph.style.settings import Settings
from nst_graph.style.weights_files import Weights, canonical
from nst_graph.style.weights_format import expected
from nst_graph.values import (
    STYLE_LAYERS,
    ContentTerm,
    EncoderChoice,
    Features,
    Gram,
    PixelTerm,
    StyleSource,
    StyleTerm,
    Term,
)

tiny: Any = sys.modules["tiny"]
torch.set_num_threads(1)

ARCHITECTURE = Architecture((4, 8, 16, 32, 32), VGG19.convs)
SIZE = (96, 112)  # relu5_1 has 42 positions for its 32 channels


def random_weights() -> Weights:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in expected(ARCHITECTURE, ()).items():
        fan_in = shape[1] * 9 if len(shape) == 4 else 20
        tensors[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    return canonical(ARCHITECTURE, tensors)


WEIGHTS = random_weights()
CONTENT, STYLE = tiny.picture(*SIZE, seed=1), tiny.picture(*SIZE, seed=2)


# --- the reference -------------------------------------------------------------------------------


def vgg(x: torch.Tensor, transform: str) -> dict[str, torch.Tensor]:
    """ReLU taps in float64: [C, M] by name."""
    rgb = {
        "raw01": lambda x: x,
        "torch": lambda x: (
            (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None])
            / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        ),
        "caffe": lambda x: (
            255 * x.flip(1) - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
        ),
        "torch255": lambda x: 255 * x - torch.tensor([123.675, 116.28, 103.53])[:, None, None],
    }
    x, taps = rgb[transform](x), {}
    for block, count in enumerate((2, 2, 4, 4, 1), 1):
        for i in range(1, count + 1):
            w, b = (
                WEIGHTS.tensors[f"conv{block}_{i}.{part}"].double() for part in ("weight", "bias")
            )
            x = F.relu(F.conv2d(x, w, b, padding=1))
            taps[f"relu{block}_{i}"] = x[0].flatten(1)
        x = F.max_pool2d(x, 2)
    return taps


def original(f: Any, p: Any, a: Any, weights: Sequence[float], beta: float) -> Any:
    """The notebooks: mean((G - A)²) / (C h w) of raw Gram matrices, and mean((F - P)²)."""
    total = (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer, w in zip(STYLE_LAYERS, weights, strict=True):
        g, t = f[layer] @ f[layer].T, a[layer] @ a[layer].T
        total = total + beta * w * (g - t).square().mean() / f[layer].numel()
    return total


def gatys_notebook(f: Any, p: Any, a: Any) -> Any:
    total = (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer in STYLE_LAYERS:
        m, c = f[layer].shape[1], f[layer].shape[0]
        g, t = f[layer] @ f[layer].T / m, a[layer] @ a[layer].T / m
        total = total + 1e3 / c**2 * (g - t).square().mean()
    return total


def neural_style(f: Any, p: Any, a: Any) -> Any:
    total = 5 * (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer in STYLE_LAYERS:
        g, t = f[layer] @ f[layer].T, a[layer] @ a[layer].T
        total = total + 100 * ((g - t) / f[layer].numel()).square().mean()
    return total


def gordicaleksa(f: Any, p: Any, a: Any) -> Any:
    total = 1e5 * (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer in STYLE_LAYERS:
        g, t = f[layer] @ f[layer].T, a[layer] @ a[layer].T
        total = total + 3e4 / 5 * ((g - t) / f[layer].numel()).square().sum()
    return total


def gatys_paper(f: Any, p: Any, a: Any) -> Any:
    total = (f["relu4_2"] - p["relu4_2"]).square().sum() / 2
    for layer in STYLE_LAYERS:
        c, m = f[layer].shape
        g, t = f[layer] @ f[layer].T, a[layer] @ a[layer].T
        total = total + 1e3 / 5 * (g - t).square().sum() / (4 * c**2 * m**2)
    return total


def pystiche(f: Any, p: Any, a: Any) -> Any:
    total = (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer in STYLE_LAYERS:
        m = f[layer].shape[1]
        g, t = f[layer] @ f[layer].T / m, a[layer] @ a[layer].T / m
        total = total + 1e3 * (g - t).square().mean() / 5
    return total


def spst(f: Any, p: Any, a: Any) -> Any:
    """Gatys' notebook and, for every layer, 1e4 of both means and deviations."""
    total = gatys_notebook(f, p, a)
    for layer in STYLE_LAYERS:
        x, s = f[layer], a[layer]
        total = total + 1e4 * (x.mean(1) - s.mean(1)).square().mean()
        spread = x.std(1, correction=0) - s.std(1, correction=0)
        total = total + 1e4 * spread.square().mean()
    return total


def crowsonkb(f: Any, p: Any, a: Any) -> Any:
    total = 0.015 * (f["relu4_2"] - p["relu4_2"]).square().mean()
    for layer, w in zip(STYLE_LAYERS, (256, 64, 16, 4, 1), strict=True):
        x, s = f[layer], a[layer]
        c = len(x)
        ridge = 1e-4 * torch.eye(c, dtype=x.dtype)
        sigma, target = (torch.cov(t, correction=0) + ridge for t in (x, s))
        values, vectors = torch.linalg.eigh(target)
        half = (vectors * values.sqrt()) @ vectors.T
        root = torch.linalg.eigvalsh(half @ sigma @ half).clamp_min(1e-16).sqrt().sum()
        bures = (sigma + target).trace() - 2 * root
        total = total + w / 341 * ((x.mean(1) - s.mean(1)).square().sum() + bures) / c
    return total


# --- the recipes ---------------------------------------------------------------------------------


def terms(
    transform: str, content: float, style: Sequence[dict[str, Any]], metric: str = "mse"
) -> list[Term]:
    choice = EncoderChoice("small", transform=transform)
    layers = (*STYLE_LAYERS, "relu4_2")
    gram = Gram((StyleSource(Features(STYLE, choice, layers)),), STYLE_LAYERS)
    kept = ContentTerm(Features(CONTENT, choice, layers), ("relu4_2",), content, metric)
    return [kept, *(StyleTerm(gram, **options) for options in style)]


def load(choice: EncoderChoice, dtype: torch.dtype = torch.float32) -> Encoder:
    return Encoder(choice.name, WEIGHTS, transform=choice.transform, dtype=dtype)


BUILDING = (0.9, 0.72, 0.2, 0.2, 0.2)
FOOTBALL = (1.0, 0.75, 0.2, 0.2, 0.2)

RECIPES: dict[str, tuple[str, Callable[..., Any], list[Term]]] = {
    "original-building": (
        "raw01",
        lambda f, p, a: original(f, p, a, BUILDING, 1e1),
        terms(
            "raw01",
            1.0,
            [
                {
                    "weight": 1e1,
                    "layer_weights": "0.9, 0.72, 0.2, 0.2, 0.2",
                    "normalization": "original",
                }
            ],
        ),
    ),
    "original-football": (
        "raw01",
        lambda f, p, a: original(f, p, a, FOOTBALL, 1e5),
        terms(
            "raw01",
            1.0,
            [
                {
                    "weight": 1e5,
                    "layer_weights": "relu1_1=1, relu2_1=.75, relu3_1=.2, relu4_1=.2, relu5_1=.2",
                    "normalization": "original",
                }
            ],
        ),
    ),
    "gatys-2016": (
        "caffe",
        gatys_paper,
        terms("caffe", 1.0, [{"weight": 1e3, "normalization": "gatys"}], "gatys"),
    ),
    "gatys-notebook": (
        "caffe",
        gatys_notebook,
        terms("caffe", 1.0, [{"normalization": "gatys_notebook"}]),
    ),
    "neural-style": (
        "caffe",
        neural_style,
        terms("caffe", 5.0, [{"weight": 100.0, "normalization": "neural_style"}]),
    ),
    "gordicaleksa": (
        "torch255",
        gordicaleksa,
        terms("torch255", 1e5, [{"weight": 3e4, "normalization": "gordicaleksa"}]),
    ),
    "pystiche": (
        "torch",
        pystiche,
        terms("torch", 1.0, [{"weight": 1e3, "normalization": "pystiche"}]),
    ),
    "spst": (
        "caffe",
        spst,
        terms(
            "caffe",
            1.0,
            [
                {"normalization": "gatys_notebook"},
                {"weight": 1e4, "kind": "mean_std", "normalization": "raw"},
            ],
        ),
    ),
    "crowsonkb": (
        "torch",
        crowsonkb,
        terms("torch", 0.015, [{"kind": "wasserstein", "normalization": "crowsonkb"}]),
    ),
}


def reference(name: str, x: torch.Tensor) -> tuple[float, torch.Tensor]:
    transform, formula, _ = RECIPES[name]
    with torch.no_grad():
        p, a = (vgg(t.movedim(-1, 1).double(), transform) for t in (CONTENT, STYLE))
    x = x.double().requires_grad_()
    value = formula(vgg(x, transform), p, a)
    (gradient,) = torch.autograd.grad(value, x)
    return float(value.detach()), gradient


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipes_loss_and_gradient_equal_the_formulas_of_its_program(name, dtype):
    x = (0.7 * CONTENT + 0.3 * tiny.picture(*SIZE, seed=3)).movedim(-1, 1).contiguous()
    found = Objective(RECIPES[name][2], SIZE, 0, lambda choice: load(choice, dtype))(x)
    value, gradient = reference(name, x)
    # In float32 a few digits go where nearly equal Gram matrices are subtracted.
    tolerance = 1e-5 if dtype == torch.float64 else 1e-4
    assert float(found.total) == pytest.approx(value, rel=tolerance)
    if name == "crowsonkb":
        tolerance *= 10  # the roots of eigenvalues near 0 are steep
    assert (found.gradient - gradient).norm() < tolerance * gradient.norm()


@pytest.mark.parametrize("name", ["original-building", "gatys-notebook"])
def test_a_recipe_with_average_pooling_differs(name):
    """The references above are sensitive to what they check."""
    x = CONTENT.movedim(-1, 1).contiguous()
    encoder = Encoder("small", WEIGHTS, "average", transform=RECIPES[name][0])
    other = Objective(RECIPES[name][2], SIZE, 0, lambda choice: encoder)(x)
    assert float(other.total) != pytest.approx(reference(name, x)[0], rel=1e-2)


def test_the_building_notebook_paints_what_its_formulas_paint():
    """Content init, no clamp, Adam 0.003 with betas 0.9 and 0.999, saved with a clamp."""
    steps = 8
    settings = Settings("adam", steps, learning_rate=0.003, beta2=0.999, clamp=False)
    found, history = optimise(CONTENT, RECIPES["original-building"][2], settings, load)
    x = CONTENT.movedim(-1, 1).double().numpy()
    m, v, losses = np.zeros_like(x), np.zeros_like(x), []
    for t in range(1, steps + 1):
        value, gradient = reference("original-building", torch.from_numpy(x))
        losses.append(value)
        g = gradient.numpy()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - 0.003 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert [point.total for point in history.points] == pytest.approx(losses, rel=1e-3)
    error = np.abs(found.movedim(-1, 1).numpy() - x.clip(0, 1))
    assert error.mean() < 1e-4 and losses[-1] < 0.95 * losses[0]


def test_total_variation_of_crowsonkb_goes_with_its_weight():
    x = CONTENT.movedim(-1, 1).contiguous()
    found = Objective([PixelTerm("tv", 2.0, "nine_point")], SIZE, 0, load)(x)
    p = F.pad(x.double(), (1, 1, 1, 1), mode="replicate")
    straight = [
        (p[..., 1:-1, 2:] - p[..., 1:-1, 1:-1]).square().mean(),
        (p[..., 2:, 1:-1] - p[..., 1:-1, 1:-1]).square().mean(),
    ]
    diagonal = [
        (p[..., 1:, 1:] - p[..., :-1, :-1]).square().mean(),
        (p[..., 1:, :-1] - p[..., :-1, 1:]).square().mean(),
    ]
    wanted = 2 * 2 * (sum(straight) / 3 + sum(diagonal) / 12)
    assert float(found.total) == pytest.approx(float(wanted), rel=1e-5)
