"""Commands on the row of the inspector: type, step, choose, link, set back."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.registry import Input

from ..widgets.bars import Ask
from . import edits, fields
from .building import Building
from .chooser import Choice, Question
from .inspect import Row
from .model import inputs_of
from .peek import Peek
from .pictures import find, picture_choices
from .problems import ProblemList

_NO_VALUE = "this row has no value to change; c connects it, ⌫ cuts its link"


class Values(Building):
    """The inspector's commands. A value out of range is refused and the limits are said."""

    def _row(self) -> Row | None:
        row = self.inspector.row
        return row if self.selected is not None else None

    def action_inspect(self, by: int) -> None:
        self.inspector.by(by)
        row = self._row()
        if row is not None:
            self.say(row.tip or (fields.describe(row.spec) if row.spec else ""), "dim")

    def action_edit_value(self) -> None:
        """Enter: on the canvas to the inspector, there to the value under the cursor."""
        if not self.inspector.has_focus:
            if self.selected is not None:
                self.set_focus(self.inspector)
            return
        row = self._row()
        if row is None:
            return
        if row.kind == "title":
            self.run_rename()
        elif row.kind in ("socket", "output"):
            self.action_connect()
        elif row.spec is None:
            self.say("the class does not know this value; it is kept as it is", "warn")
        elif row.spec.type == "BOOLEAN":
            self._step(1)
        elif row.spec.type == "COMBO":
            self._choose(row, row.spec)
        elif row.spec.options.get("multiline") and "\n" in str(row.raw):
            self.action_external()
        else:
            self._type(row, row.spec)

    def run_rename(self) -> None:
        self.action_rename()

    def set_value(self, name: str, value: Any, merge: str = "") -> None:
        node = self.selected
        if node is not None:
            nodes = edits.set_value(self.nodes, node, name, value)
            self.change(f"{name} of #{node}", nodes, merge=merge)
            self.say(f"{name} is {fields.plain(value)}"[:200])

    def _type(self, row: Row, spec: Input) -> None:
        def answer(text: str) -> str | None:
            try:
                value = fields.parse(spec, text)
            except fields.Refused as refused:
                return str(refused)
            self.set_value(row.name, value)
            return None

        def typed(text: str) -> None:
            try:
                fields.parse(spec, text)
            except fields.Refused as refused:
                self.say(str(refused), "bad")
            else:
                self.say(str(spec.options.get("tooltip", "")) or fields.describe(spec), "dim")

        self.ask_line(f"{row.name}  {fields.describe(spec)}", fields.plain(row.raw), answer, typed)
        if spec.type in ("INT", "FLOAT"):
            self.prompt.query_one(Ask).select_all()  # a digit replaces the number

    def _choose(self, row: Row, spec: Input) -> None:
        name = row.name
        if fields.is_picture(spec):
            choices = picture_choices(spec, self.place, self.roots)
        else:
            choices = [Choice(fields.plain(choice), choice) for choice in spec.choices or ()]

        if fields.is_picture(spec):
            self.add_class("-picking")

        def typed(text: str) -> None:
            self.take_picture(name, text)

        self.ask(
            Question(
                f"{name} of {self.name_of(self.selected)}",
                choices,
                picked=lambda value, _: self.set_value(name, value),
                typed=typed if fields.is_picture(spec) else None,
                moved=self.preview if fields.is_picture(spec) else None,
                left=self.tell,
                current=row.raw,
                hint="type to search  ⏎ choose  Esc"
                + ("  · or type a path" if fields.is_picture(spec) else ""),
                empty="⏎ takes the picture at this path" if fields.is_picture(spec) else "no such",
            )
        )

    def preview(self, name: str) -> None:
        """Show the picture under the cursor of the picker."""
        self.query_one(Peek).show_file(find(name, self.place, self.roots), name)

    def take_picture(self, name: str, text: str) -> None:
        """Use the picture at a path that was typed: its folder joins those that are searched."""
        path = Path(text.strip()).expanduser()
        if not path.is_file():
            self.say(f"no file at {text}", "bad")
            return
        self.roots = (*self.roots, path.resolve().parent)
        self.look_around()
        self.set_value(name, path.name)
        self.say(f"{name} is {path.name}; outside the editor add --input-dir {path.parent}"[:300])

    def look_around(self) -> None:
        """Read the choices again: folders of pictures and models may have changed."""

    def action_step(self, by: int) -> None:
        self._step(by)

    def _step(self, by: int) -> None:
        row = self._row()
        if row is None or row.spec is None or row.kind != "widget":
            self.say(_NO_VALUE)
            return
        try:
            value = fields.step(row.spec, row.raw, by)
        except fields.Refused as refused:
            self.say(str(refused), "bad")
            return
        self.set_value(row.name, value, merge=f"{self.selected} {row.name}")

    def action_scale(self, factor: float) -> None:
        row = self._row()
        if row is None or row.spec is None or row.kind != "widget":
            self.say(_NO_VALUE)
            return
        try:
            value = fields.scale(row.spec, row.raw, factor)
        except fields.Refused as refused:
            self.say(str(refused), "bad")
            return
        self.set_value(row.name, value, merge=f"{self.selected} {row.name}")

    def action_default(self) -> None:
        row = self._row()
        if row is not None and row.spec is not None and row.kind == "widget":
            self.set_value(row.name, row.spec.default)
        else:
            self.say(_NO_VALUE)

    def action_roll(self) -> None:
        row = self._row()
        if row is not None and row.spec is not None and fields.is_seed(row.spec):
            self.set_value(row.name, fields.roll(row.spec), merge=f"{self.selected} {row.name}")
        else:
            self.say("x rolls seeds only")

    def action_unlink(self) -> None:
        """Cut the link into this row's input; for a constant: back to its default."""
        row, node = self._row(), self.selected
        if row is None or node is None:
            return
        if row.kind == "socket" and row.raw is not None:
            nodes = edits.unlink(self.nodes, node, row.name, self.types)
            self.change(f"cut {row.name} of #{node}", nodes)
            self.say(f"cut the link into {row.name}")
        elif row.kind == "widget" and row.spec is None:
            kept = {k: v for k, v in inputs_of(self.nodes, node).items() if k != row.name}
            data = {**self.nodes[node], "inputs": kept}
            self.change(f"drop {row.name} of #{node}", {**self.nodes, node: data})
            self.say(f"dropped {row.name}, which the class does not know")
        else:
            self.action_default()

    def action_copy_value(self) -> None:
        row = self._row()
        if row is not None:
            text = fields.plain(row.raw) if row.kind == "widget" else row.value
            self.app.copy_to_clipboard(text)
            self.say(f"copied {text}"[:200])

    def action_external(self) -> None:
        """Edit a text in ``$EDITOR``; the screen is given back meanwhile."""
        row = self._row()
        if row is None or row.spec is None or row.spec.type != "STRING":
            self.say("^e edits texts; put the cursor on one")
            return
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            text = self._in_editor(shlex.split(editor), str(row.raw))
        except (OSError, ValueError, UserError) as error:
            self.say(f"cannot run {editor}: {error} (set EDITOR)", "bad")
            return
        if text != str(row.raw):
            self.set_value(row.name, text)

    def _in_editor(self, command: list[str], text: str) -> str:
        with tempfile.TemporaryDirectory(prefix="nst-edit-") as folder:
            path = Path(folder) / "value.txt"
            files.write(path, text.encode())
            with self.app.suspend():
                subprocess.run([*command, str(path)], check=False)
            changed = files.read_limited(path).decode(errors="replace")
        return changed if text.endswith("\n") else changed.removesuffix("\n")

    # Fixing

    def action_fix(self) -> None:
        """Open what puts the problem right: the link, the value, the row in the inspector."""
        self.check_now()
        at = self.query_one(ProblemList).current
        wanted = self.problems[at] if 0 <= at < len(self.problems) else None
        if wanted is None or wanted.node != self.selected:
            mine = [p for p in self.problems if p.node == self.selected and p.node is not None]
            wanted = next(iter(mine or [p for p in self.problems if p.node in self.nodes]), None)
        if wanted is None or wanted.node not in self.nodes:
            self.say("nothing to fix here", "ok")
            return
        if wanted.node != self.selected:
            self.select(wanted.node)
        if wanted.input and self.inspector.go_to(wanted.input):
            self.set_focus(self.inspector)
            self.call_after_refresh(self.action_edit_value)
        else:
            self.set_focus(self.inspector)
            hint = f" - {wanted.hint}" if wanted.hint else ""
            self.say(f"{wanted.message}{hint}", "warn")
