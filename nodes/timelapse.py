"""NSTTimelapse: pictures to a film."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nst_graph import host
from nst_graph.errors import NodeError

from .output_names import Place, prefix_problem, save_all
from .save_image import HIDDEN, PREFIX_TIP, embedded_text
from .sheet import frames_of, picture_inputs

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ["webp", "gif", "apng"]
MOST_FRAMES = 2000


class NSTTimelapse:
    DESCRIPTION = (
        "Saves pictures as an animation into the output folder: the stages of a painting, a "
        "sequence of frames, or the way from one style to another."
    )
    CATEGORY = "nst/image"
    FUNCTION = "save"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        first, more = picture_inputs("Pictures of the film, in the order of the numbers.")
        return {
            "required": {
                **first,
                "filename_prefix": ("STRING", {"default": "timelapse", "tooltip": PREFIX_TIP}),
                "format": (
                    FORMATS,
                    {
                        "default": "webp",
                        "tooltip": "webp: small, all colours. gif: opens everywhere, 256 colours. "
                        "apng: lossless, large. webp and apng hold the graph.",
                    },
                ),
                "seconds": (
                    "FLOAT",
                    {
                        "default": 0.2,
                        "min": 0.02,
                        "max": 60.0,
                        "step": 0.01,
                        "round": False,
                        "tooltip": "How long each picture is shown.",
                    },
                ),
                "hold": (
                    "FLOAT",
                    {
                        "default": 2.0,
                        "min": 0.0,
                        "max": 60.0,
                        "step": 0.1,
                        "round": False,
                        "tooltip": "How many seconds longer the last one is.",
                    },
                ),
                "fade": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 60,
                        "tooltip": "Pictures in between, so that one fades into the next.",
                    },
                ),
                "back_and_forth": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "Run back to the first picture again."},
                ),
                "quality": (
                    "INT",
                    {"default": 85, "min": 1, "max": 100, "tooltip": "For webp; 100: lossless."},
                ),
            },
            "optional": more,
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None) -> bool | str:
        return prefix_problem(filename_prefix)

    def save(
        self,
        filename_prefix: str,
        format: str,
        seconds: float,
        hold: float,
        fade: int,
        back_and_forth: bool,
        quality: int,
        prompt: Mapping[str, Any] | None = None,
        extra_pnginfo: Mapping[str, Any] | None = None,
        **images: Tensor | None,
    ) -> dict[str, Any]:
        from nst_graph.style.encode import Saving
        from nst_graph.style.film import SUFFIXES, film

        frames = frames_of(images)
        count = len(frames) + fade * (len(frames) - 1)
        if count * (2 if back_and_forth else 1) > MOST_FRAMES:
            raise NodeError(
                f"the film would have {count} frames, of {MOST_FRAMES} at most; lower fade or "
                "give fewer pictures"
            )
        text = embedded_text(prompt, extra_pnginfo)
        data = film(
            frames,
            Saving(format, quality=quality, text=text),
            seconds=seconds,
            hold=hold,
            fade=fade,
            back_and_forth=back_and_forth,
            note=host.current().note,
        )
        place = Place(host.current().folders.output, "output")
        size = frames[-1].shape[1], frames[-1].shape[0]
        return {"ui": {"images": save_all(place, filename_prefix, SUFFIXES[format], size, [data])}}
