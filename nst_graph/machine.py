"""What this machine computes with: device, precision, threads, torch version.

These decide a numeric result and so belong to its key. Finding them out needs torch, which takes
seconds to import, so the answer is kept per machine and asked again when torch or the hardware
changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.folders import home
from nst_graph.plan import Environment

DEVICES = ("auto", "cpu", "cuda", "mps")
MEMORY_SHARE = 0.8
MOST_THREADS = 256
"""More on a machine with fewer cores is a slip of the keyboard, and thousands crash torch."""


def environment(device: str = "auto", threads: int = 0) -> Environment:
    """Resolve ``auto`` and 0 for this machine.

    Raises:
        UserError: the device is not there or does not work.
    """
    if device not in DEVICES:
        raise UserError(f"no device {device!r}; choose one of {', '.join(DEVICES)}")
    if threads < 0:
        raise UserError(f"{threads} threads are not possible; 0 means all")
    if threads > max(MOST_THREADS, cores()):
        raise UserError(f"{threads} threads are too many; this process may use {cores()} cores")
    known = _remembered().get(device)
    if known is None:
        known = _probe(device)
        _remember(device, known)
    return Environment(known["device"], known["precision"], threads or cores(), torch_version())


def yield_processors() -> None:
    """Let idle threads of OpenMP sleep rather than spin; to be called before torch is imported.

    Spinning threads take the processor from the very thread they wait for as soon as anything
    else runs on the machine: measured, a run beside other work took several times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def cores() -> int:
    """Processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def memory_limit(device: str) -> int | None:
    """Bytes that a run may plan to take: 80 % of the memory there is; None if that is unknown."""
    if device == "cuda":
        import torch

        return int(MEMORY_SHARE * torch.cuda.mem_get_info()[1])
    import psutil

    total = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):  # less in a container; "max" if it is not limited
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return int(MEMORY_SHARE * total)


def torch_version() -> str:
    """Major and minor version of the installed torch, without importing it."""
    try:
        return ".".join(version("torch").split(".")[:2])
    except PackageNotFoundError:
        return ""


def _probe(device: str) -> dict[str, str]:
    import torch

    from nst_graph.style.precision import resolve_precision

    wanted = ("cuda", "mps", "cpu") if device == "auto" else (device,)
    reason = "not available in this torch build or on this machine"
    for name in wanted:
        present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not present.get(name, True):
            continue
        try:  # an old driver passes is_available() and fails at the first real operation
            probe = torch.ones(1, 1, 8, 8, device=name)
            torch.nn.functional.conv2d(probe, probe[:, :, :3, :3]).sum().item()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            continue
        return {"device": name, "precision": resolve_precision(name)}
    raise UserError(f"device {device} cannot be used: {reason}; --device cpu always works")


def _stamp() -> str:
    facts: list[Any] = [
        version("torch") if torch_version() else "",
        platform.machine(),
        _processor(),
        os.environ.get("CUDA_VISIBLE_DEVICES"),
        Path("/dev/nvidia0").exists(),
        Path("/proc/driver/nvidia/version").exists(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        wanted = ("model name", "flags", "Features")
        return "".join(sorted({line for line in file if line.startswith(wanted)}))
    return platform.processor()


def _remembered() -> dict[str, Any]:
    try:
        found = json.loads(files.read_limited(home() / "machine.json", 1 << 20))[_stamp()]
        return {k: v for k, v in found.items() if {"device", "precision"} <= set(v)}
    except (UserError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def _remember(device: str, known: dict[str, str]) -> None:
    path = home() / "machine.json"
    machines: dict[str, Any] = {}
    with suppress(UserError, ValueError):
        machines = json.loads(files.read_limited(path, 1 << 20))
    if not isinstance(machines, dict):
        machines = {}
    machines.setdefault(_stamp(), {})[device] = known
    with suppress(OSError):
        files.write(path, json.dumps(machines, indent=1).encode())
