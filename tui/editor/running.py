"""Running the graph from the editor: launch, follow, show the states on the canvas."""

from __future__ import annotations

from pathlib import Path

from nst_graph import queue, runs
from nst_graph.errors import GraphError, UserError
from nst_graph.folders import contained
from nst_graph.progress import duration
from nst_graph.runs import Options, RunFolder

from ..state import RunState
from . import fields
from .checking import folders_for
from .filing import save_for_run
from .model import ancestors, class_of, widgets_of
from .opening import Opening
from .peek import Peek
from .pictures import find


class Running(Opening):
    """``r`` runs, ``R`` runs up to the selected node; the log tells how it goes."""

    run_folder: RunFolder | None = None
    _shown_failure: str | None = None
    _told_end: str = ""

    def action_run(self) -> None:
        self._run(())

    def action_run_here(self) -> None:
        if self.selected is not None:
            self._run((self.selected,))

    def _run(self, targets: tuple[str, ...]) -> None:
        self.check_now()
        needed = {*targets, *(n for t in targets for n in ancestors(self.nodes, t))}
        stops = [
            problem
            for problem in self.problems
            if problem.severity == "error" and (not targets or problem.node in needed)
        ]
        if stops:
            self.go_to_problem(self.problems.index(stops[0]))
            return
        try:
            self.run_folder = self.launch(targets)
        except GraphError as error:
            self.say(str(error.problems[0]), "bad")
            return
        except UserError as error:
            self.say(str(error), "bad")
            return
        self._shown_failure = None
        wanted = needed or set(self.nodes)
        self.states = {node: ("queued", "") for node in self.nodes if node in wanted}
        self.show()
        what = f"up to {self.name_of(targets[0])}" if targets else "the graph"
        before = [run for run in queue.waiting() if run.id != self.run_folder.id]
        turn = f" after {len(before)} other run(s)" if before else ""
        self.say(f"running {what}{turn}; v watches it, editing goes on", "ok")
        self.beat_now()

    def launch(self, targets: tuple[str, ...]) -> RunFolder:
        """Start a worker on exactly what is on the canvas, saved or not."""
        name = self.path.stem if self.path else self.opened.path.stem if self.opened else "unsaved"
        file = save_for_run(self.nodes, self.types, name, targets)
        inputs = tuple(str(root) for root in self._input_folders())
        return runs.launch(file, (), Options(inputs=inputs, targets=targets, name=name))

    def _input_folders(self) -> list[Path]:
        return [root for root in folders_for(self.place, self.roots).inputs if root.is_dir()]

    def peek_at(self, node: str | None) -> None:
        """The picture that the node loads, has painted or has saved."""
        self.query_one(Peek).show_file(*self._picture_of(node))

    def _picture_of(self, node: str | None) -> tuple[Path | None, str]:
        if node is None:
            return None, ""
        if self.run_folder is not None:
            run = self.nst.follower(self.run_folder).state
            painted = run.optimisations.get(node)
            if painted is not None and painted.previews:
                step, name = painted.previews[-1]
                return contained(self.run_folder.path, name), f"step {step}"
            kind = self.types.get(class_of(self.nodes, node))
            if run.finished is not None and run.finished.outputs and kind and kind.is_output:
                saved = Path(run.finished.outputs[0])
                return saved, saved.name
        for _, spec, value in widgets_of(self.nodes, node, self.types):
            if spec is not None and fields.is_picture(spec) and isinstance(value, str):
                return find(value, self.place, self.roots), value
        return None, ""

    def action_watch(self) -> None:
        """The Monitor, on the run that was started here."""
        if self.run_folder is None:
            self.say("nothing was run from here yet: r runs the graph")
        else:
            self.nst.watch_run(self.run_folder)

    def follow_run(self) -> None:
        """Read what happened since, and show it; costs nothing when nothing did."""
        if self.run_folder is None or not self.states:
            return
        follower = self.nst.follower(self.run_folder)
        follower.poll()
        run = follower.state
        states = {}
        for node, known in run.nodes.items():
            if node in self.nodes:
                states[node] = (known.state, _progress(run, node))
        if states and states != self.states:
            self.states = states
            self.show()
        failed = next((node for node, known in run.nodes.items() if known.state == "failed"), None)
        if failed is not None and failed != self._shown_failure:
            self._shown_failure = failed
            if failed in self.nodes:
                self.select(failed)
            self.say(f"{self.name_of(failed)} failed: {run.nodes[failed].message}", "bad")
        elif run.finished is not None and self._told_end != self.run_folder.id:
            self._told_end = self.run_folder.id
            if failed is None:
                outputs = ", ".join(run.finished.outputs) or "no files"
                self.say(f"{run.state} in {duration(run.seconds)}: {outputs}", "ok")


def _progress(run: RunState, node: str) -> str:
    found = run.optimisations.get(node)
    if found is None or run.nodes[node].state != "running":
        return ""
    return f"{found.step.step}/{found.step.steps}"
