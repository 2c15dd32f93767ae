"""VGGFeatures: which picture an encoder shall look at, and which of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nst_graph import encoders, host
from nst_graph.errors import NodeError, UserError
from nst_graph.values import EncoderChoice, Features

from .tensors import as_rgb

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_LAYERS = "relu1_1,relu2_1,relu3_1,relu4_1,relu4_2,relu5_1"
POOLINGS = ["auto", "max", "average", "l2", "average-scaled", "l2-scaled", "blur"]
PADDINGS = ["auto", "zeros", "replicate", "reflect", "replicate-first"]
TRANSFORMS = ["auto", "torch", "caffe", "caffe256", "raw01", "torch255", "raw255"]
ABSENT = "absent"


class VGGFeatures:
    DESCRIPTION = (
        "What an encoder sees in a picture: the activations of some of its layers. Computed when "
        "and at the size at which a loss needs them, from the picture given here."
    )
    CATEGORY = "nst/style"
    FUNCTION = "encode"
    RETURN_TYPES = ("VGG_FEATURES",)
    RETURN_NAMES = ("features",)
    OUTPUT_TOOLTIPS = ("For ContentLoss, or by way of GramMatrix for StyleLoss.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        names = encoders.names(host.current().folders.models)
        auto = "auto: what the weights were made with. "
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "The content or style picture, or a batch."}),
                "encoder": (
                    names,
                    {
                        "default": names[0] if names else "compact",
                        "tooltip": "compact is part of this project and fast. vgg19 and vgg16 are "
                        "torchvision's (nst encoders fetch). Files of the models folder follow.",
                    },
                ),
                "layers": (
                    "STRING",
                    {
                        "default": DEFAULT_LAYERS,
                        "tooltip": "Names such as relu4_2 or conv4_2 (before its ReLU), separated "
                        "by commas; r42 and, for VGG, torchvision's index 22 mean the same. "
                        "Layers that no loss uses cost nothing.",
                    },
                ),
            },
            "optional": {
                "pooling": (
                    POOLINGS,
                    {
                        "default": "auto",
                        "tooltip": auto + "average is smoother than max; the scaled ones keep "
                        "activations as large as max does.",
                    },
                ),
                "padding": (
                    PADDINGS,
                    {
                        "default": "auto",
                        "tooltip": auto + "zeros darken the border of the picture; replicate and "
                        "reflect do not.",
                    },
                ),
                "transform": (
                    TRANSFORMS,
                    {
                        "default": "auto",
                        "tooltip": auto + "How colours enter the network; raw01 and the other raw "
                        "ones reproduce programs that left the normalisation out.",
                    },
                ),
            },
        }

    @classmethod
    def IS_CHANGED(cls, encoder: str | None = None, **others: Any) -> str:
        """The id of the weights behind the name; they may be about to be downloaded."""
        if encoder is None:
            return ""
        models = host.current().folders.models
        try:
            return encoders.weights_id(encoder, models)
        except UserError:
            if encoder in ("vgg19", "vgg16"):
                return ABSENT
            raise

    @classmethod
    def PREPARE(cls, encoder: str | None = None, **others: Any) -> None:
        """Fetch weights that are not here yet, so that the run can be planned with their id."""
        service = host.current()
        told = 0

        def progress(done: int, total: int | None) -> None:
            nonlocal told
            if total and done * 10 // total > told:
                told = done * 10 // total
                service.note(f"{encoder}: {done / 1e6:.0f} of {total / 1e6:.0f} MB fetched")

        if encoder is not None:
            encoders.ready(encoder, service.folders.models, progress)

    def encode(
        self,
        image: Tensor,
        encoder: str,
        layers: str,
        pooling: str = "auto",
        padding: str = "auto",
        transform: str = "auto",
    ) -> tuple[Features]:
        from nst_graph.style.layers import split_layers

        models = host.current().folders.models
        try:
            weights = encoders.ready(encoder, models)
        except NodeError:
            raise
        except UserError as error:
            raise NodeError(str(error)) from error
        choice = EncoderChoice(encoder, weights, pooling, padding, transform)
        names = split_layers(layers)
        if not names:
            raise NodeError(f"layers is empty; name at least one, for example {DEFAULT_LAYERS}")
        return (Features(rgb(image), choice, canonical_layers(choice, names)),)


def canonical_layers(choice: EncoderChoice, names: tuple[str, ...]) -> tuple[str, ...]:
    """What ``names`` mean to the encoder, each once; a note for each that is replaced.

    Raises:
        NodeError: there is no such layer, or the weights cannot be used.
    """
    from nst_graph.style.encoder import load_encoder

    service = host.current()
    found: dict[str, None] = {}
    try:
        encoder = load_encoder(choice, service.folders.models)
        for name in names:
            layer, remark = encoder.canonical(name)
            if remark:
                service.note(remark)
            found[layer] = None
    except UserError as error:
        raise NodeError(str(error)) from error
    return tuple(found)


def chosen_layers(features: Features, text: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """The layers in ``text``, which must be among those of ``features``; ``default`` if empty.

    Raises:
        NodeError: one is not among them.
    """
    from nst_graph.style.layers import split_layers

    names = split_layers(text)
    if not names:
        return default
    layers = canonical_layers(features.encoder, names)
    absent = [layer for layer in layers if layer not in features.layers]
    if absent:
        raise NodeError(
            f"{', '.join(absent)} is not among the layers of these features "
            f"({', '.join(features.layers)}); add it to VGGFeatures.layers"
        )
    return layers


def rgb(image: Tensor) -> Tensor:
    """``image`` as float32 RGB; the very same tensor if it is that, so that caches know it."""
    import torch

    found = as_rgb(image)
    same = image.dtype == torch.float32 and image.device.type == "cpu" and image.ndim == 4
    return image if same and image.shape[-1] == 3 else found
