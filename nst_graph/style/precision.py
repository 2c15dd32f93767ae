"""Which number format the encoder computes in.

Activations may be in half precision; Gram matrices, losses, the picture and the optimiser are in
float32 always.
"""

from __future__ import annotations

import torch

from nst_graph.errors import NodeError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(device: str) -> str:
    """What ``auto`` means on ``device``: bf16 where the hardware computes it natively, else fp32.

    Decided by capability alone, so that it is the same every time: AVX512-BF16 or AMX on CPUs
    (elsewhere bf16 is emulated and slow), compute capability 8 or higher on CUDA.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif kind == "cpu":
        native = _cpu_has("avx512_bf16") or _cpu_has("amx_bf16") or _cpu_has("amx_tile")
    else:
        native = False
    return "bf16" if native else "fp32"


def dtype_of(precision: str, device: str) -> torch.dtype:
    """The dtype for a precision of ``PRECISIONS``.

    Raises:
        NodeError: unknown, or fp16 on a CPU, which computes it at a crawl.
    """
    if precision == "auto":
        precision = resolve_precision(device)
    if precision not in _DTYPES:
        raise NodeError(f"precision {precision[:40]!r} is not one of {', '.join(PRECISIONS)}")
    if precision == "fp16" and torch.device(device).type == "cpu":
        raise NodeError("precision fp16 needs a GPU; on a CPU use auto, bf16 or fp32")
    return _DTYPES[precision]


def _cpu_has(feature: str) -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        return bool(capabilities().get(feature, False))
    known = {
        "avx512_bf16": getattr(torch.cpu, "_is_avx512_bf16_supported", None),
        "amx_tile": getattr(torch.cpu, "_is_amx_tile_supported", None),
    }.get(feature)
    return bool(known and known())
