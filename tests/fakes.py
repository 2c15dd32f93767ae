"""Run folders as a worker leaves them, without a worker: for the terminal UI's tests.

``python tests/fakes.py SECONDS STEPS_PER_SECOND PICTURES`` writes one live, as a worker would,
answering commands.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

GRAPH: dict[str, dict[str, Any]] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "photo"}},
    "2": {
        "class_type": "ContentLoss",
        "inputs": {"features": ["1", 0], "weight": 1.0},
        "_meta": {"title": "content"},
    },
    "3": {
        "class_type": "StyleLoss",
        "inputs": {"gram": ["1", 0], "weight": 1e5},
        "_meta": {"title": "style"},
    },
    "4": {
        "class_type": "Optimize",
        "inputs": {"image": ["1", 0], "loss_1": ["2", 0], "loss_2": ["3", 0], "steps": 100},
        "_meta": {"title": "paint"},
    },
}


class FakeRun:
    """One run folder; call the methods in the order in which a worker would write."""

    def __init__(self, run_id: str, *, steps: int = 100, weight: float = 1e5) -> None:
        from nst_graph import events, files, runs

        self.events = events
        self.run = runs.RunFolder(runs.runs_folder() / run_id)
        graph = json.loads(json.dumps(GRAPH))
        graph["3"]["inputs"]["weight"] = weight
        graph["4"]["inputs"]["steps"] = steps
        files.write(self.run.graph, json.dumps(graph).encode())
        options = {"options": {"inputs": [], "output": "", "name": "fake"}, "versions": {}}
        files.write(self.run.path / "environment.json", json.dumps(options).encode())
        self.steps = steps
        self.weights = {"content": 1.0, "style": weight}
        self.at = 0
        self.time = 1_764_000_000.0
        self.titles = {node: given["_meta"]["title"] for node, given in GRAPH.items()}
        self._append = files.Appender(self.run.log)
        self._random = random.Random(run_id)

    def emit(self, event: Any) -> None:
        self._append(self.events.to_json(event))

    def raw(self, line: str) -> None:
        self._append(line)

    def start(self) -> FakeRun:
        classes = {node: given["class_type"] for node, given in GRAPH.items()}
        started = self.events.RunStarted(
            self.run.id, list(GRAPH), self.titles, classes, os.getpid(), time=self.time
        )
        self.emit(started)
        for node in ("1", "2", "3"):
            self.emit(self.events.NodeStarted(node, time=self.time))
            self.emit(self.events.NodeFinished(node, 0.1, time=self.time))
        self.emit(self.events.NodeStarted("4", time=self.time))
        return self

    def step(self, count: int = 1, *, broken: bool = False, preview: bool = False) -> FakeRun:
        for _ in range(count):
            self.at += 1
            self.time += 0.1
            noise = math.exp(self._random.gauss(0, 0.05))
            raw = {
                "content": (4e4 * math.exp(-self.at / 40) + 4e3) * noise,
                "style": math.nan if broken else (20 * math.exp(-self.at / 60) + 0.5) * noise,
            }
            losses = {name: value * self.weights[name] for name, value in raw.items()}
            scale = 1 if self.at <= self.steps // 2 else 2
            self.emit(
                self.events.Step(
                    "4",
                    self.at,
                    self.steps,
                    scale,
                    2,
                    128 * scale,
                    96 * scale,
                    self.at * 0.1,
                    self.at + self.at // 4,
                    sum(losses.values()),
                    losses,
                    raw,
                    time=self.time,
                )
            )
        if preview:
            self.preview()
        return self

    def preview(self) -> FakeRun:
        from nst_graph import files

        name = f"previews/4/{self.at:06d}.jpg"
        files.write(self.run.path / name, picture(self.at / self.steps))
        self.emit(self.events.Preview("4", self.at, name, time=self.time))
        return self

    def beat(self, now: float | None = None) -> FakeRun:
        memory = int(1.6e9 + 2e8 * self._random.random())
        cpu = 170 + 30 * self._random.random()
        self.emit(self.events.Heartbeat(memory, cpu, time=now or self.time))
        return self

    def change(self, weight: float) -> FakeRun:
        old = self.weights["style"]
        self.emit(self.events.Changed("3", "weight", old, weight, self.at, time=self.time))
        self.weights["style"] = weight
        return self

    def finish(self, status: str = "done", outputs: tuple[str, ...] = ()) -> FakeRun:
        self.emit(self.events.NodeFinished("4", self.at * 0.1, time=self.time))
        finished = self.events.RunFinished(status, self.at * 0.1, list(outputs), time=self.time)
        self.emit(finished)
        return self


def picture(share: float, side: int = 96) -> bytes:
    """A JPEG that goes from noise to a smooth pattern."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:side, 0:side] / side
    pattern = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * (x + y))], axis=-1)
    noise = np.random.default_rng(0).random(pattern.shape)
    pixels = (255 * (pattern * share + noise * (1 - share))).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=90)
    return target.getvalue()


def write_live(seconds: float, rate: float, pictures: bool) -> None:
    """A run with the lock held, ``rate`` steps a second, until ``seconds`` are over or stopped."""
    from nst_graph.control import Control
    from nst_graph.errors import UserError

    fake = FakeRun("20261123-180000-live-ab12", steps=max(100, int(2 * seconds * rate)))
    lock = fake.run.lock()
    lock.acquire()

    def settable(node: str, name: str, value: Any) -> tuple[str, str, float]:
        if name != "weight" or node not in ("2", "3") or not value >= 0:
            raise UserError(f"{node}.{name} cannot be {value}")
        fake.change(value)
        return node, name, value

    control = Control(fake.run.path / "control.jsonl", fake.emit, settable)
    fake.time = time.time()
    fake.start()
    print("ready", flush=True)
    end, beat, shown = time.time() + seconds, 0.0, 0.0
    status = "done"
    while time.time() < end:
        wishes = control.poll()
        if wishes.stop or wishes.stop_now:
            status = "stopped"
            break
        if wishes.paused:
            fake.emit(fake.events.Paused())
            while control.poll().paused and time.time() < end:
                time.sleep(0.02)
            fake.emit(fake.events.Resumed())
        fake.step()
        if time.time() - beat > 2:
            beat = time.time()
            fake.beat(beat)
        if pictures and time.time() - shown > 2:
            shown = time.time()
            fake.preview()
        time.sleep(1 / rate)
    fake.finish(status)
    lock.release()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    write_live(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "1")
