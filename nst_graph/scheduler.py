"""What runs when: a pure function of the plan and of what has completed so far.

:class:`Schedule` never executes anything and needs no threads: it is told what finished or failed
and says what may start, what will never start, and whose results nobody needs any more.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx

from nst_graph.plan import Plan, Task


def split(
    plan: Plan, targets: list[str], stored: Callable[[Task], bool]
) -> tuple[set[str], set[str]]:
    """(nodes to run, nodes whose stored result will be read), working back from ``targets``.

    ``stored`` says whether a task's result is there; it is asked only about tasks whose result
    somebody needs.
    """
    run: set[str] = set()
    read: set[str] = set()
    waiting = [node for node in targets if not stored(plan.tasks[node])]
    while waiting:
        node = waiting.pop()
        if node in run:
            continue
        run.add(node)
        for source, _ in plan.tasks[node].links.values():
            if source in run or source in read:
                continue
            if stored(plan.tasks[source]):
                read.add(source)
            else:
                waiting.append(source)
    return run, read - run


class Schedule:
    """The state of one run: every task is waiting, started, finished or dropped."""

    def __init__(self, plan: Plan, run: set[str]) -> None:
        self._graph: nx.DiGraph[str] = plan.graph
        self._order = {node: index for index, node in enumerate(plan.tasks)}
        self._run = set(run)
        self._waiting = {node: run & set(plan.graph.predecessors(node)) for node in run}
        self._started: set[str] = set()
        self._finished: set[str] = set()
        self._consumers = {
            node: {after for after in plan.graph.successors(node) if after in run}
            for node in plan.graph
        }

    @property
    def finished(self) -> bool:
        """Nothing is left to start and nothing is under way."""
        return not self._waiting and not self._started

    def ready(self) -> list[str]:
        """What may start now, in the plan's order."""
        found = [node for node, needs in self._waiting.items() if not needs]
        return sorted(found, key=self._order.__getitem__)

    def start(self, node: str) -> None:
        if self._waiting[node]:
            raise ValueError(f"{node} was started before {sorted(self._waiting[node])}")
        del self._waiting[node]
        self._started.add(node)

    def finish(self, node: str) -> list[str]:
        """``node`` has its result. Returns the nodes whose results nobody needs any more."""
        self._started.remove(node)
        self._finished.add(node)
        for needs in self._waiting.values():
            needs.discard(node)
        unused = [] if self._consumers[node] else [node]
        return self._release(node) + unused

    def fail(self, node: str) -> tuple[list[str], list[str]]:
        """``node`` has no result. Returns (what is skipped for it, results no longer needed)."""
        self._started.discard(node)
        below = nx.descendants(self._graph, node)
        skipped = sorted((n for n in self._waiting if n in below), key=self._order.__getitem__)
        released = self._release(node)
        for gone in skipped:
            del self._waiting[gone]
            released += self._release(gone)
        return skipped, released

    def drop(self, node: str) -> tuple[list[str], list[str]]:
        """Never start ``node``; otherwise as :meth:`fail`."""
        del self._waiting[node]
        return self.fail(node)

    def _release(self, node: str) -> list[str]:
        released = []
        for source in self._graph.predecessors(node):
            users = self._consumers[source]
            users.discard(node)
            if not users and (source in self._finished or source not in self._run):
                released.append(source)
        return released
