"""Commands that add, connect, remove and rearrange nodes."""

from __future__ import annotations

from collections.abc import Callable

from nst_graph.errors import UserError

from . import edits
from .chooser import Question
from .connect import Source, Target, cuts, sources, targets
from .model import (
    BYPASSED,
    MUTED,
    Nodes,
    as_link,
    inputs_of,
    links,
    mode_of,
    outputs_of,
    place_of,
    sockets_of,
    title_of,
)
from .moving import Moving
from .palette import additions, by_type, link_new


class Building(Moving):
    """Adding, connecting, cutting, deleting, copying, muting, moving."""

    copied: str = ""

    # Adding

    def action_add(self) -> None:
        selected = self.selected
        hint = "⏎ add  ⇥ add and link  >LOSS what gives a loss  Esc"
        self.ask(
            Question(
                title="add a node" + (f" after {self.name_of(selected)}" if selected else ""),
                choices=additions(self.types, self.nodes, selected),
                picked=self._add,
                hint=hint if selected else "⏎ add  >LOSS what gives a loss  Esc",
                filter=lambda query: by_type(query, self.types),
                empty="no node is called that",
            )
        )

    def _add(self, kind: str, with_link: bool) -> None:
        selected = self.selected
        nodes, node = edits.add(self.nodes, kind, self.types)
        if with_link and selected is not None:
            nodes = link_new(nodes, self.types, selected, node)
        self.change(f"add {self.types[kind].display_name}", nodes, select=node)
        linked = with_link and any(node in (k.target, k.source) for k in links(nodes))
        if with_link and not linked:
            self.say(f"added; it does not fit {self.name_of(selected)}, c connects it", "warn")
        else:
            self.say(f"added {self.name_of(node)}{' and linked it' if linked else ''}")

    # Connecting

    def action_connect(self) -> None:
        node = self.selected
        row = self.inspector.row if self.inspector.has_focus else None
        if node is None:
            self.say("select a node first: c connects one of its outputs", "warn")
        elif row is not None and row.kind in ("socket", "widget"):
            self.connect_input(node, row.name)
        elif row is not None and row.kind == "output":
            self.connect_output(node, int(row.name))
        else:
            self._choose_output(node)

    def _choose_output(self, node: str) -> None:
        outs = outputs_of(self.nodes, node, self.types)
        if len(outs) == 1:
            self.connect_output(node, 0)
            return
        if not outs:
            sockets = sockets_of(self.nodes, node, self.types)
            given = inputs_of(self.nodes, node)
            free = [name for name, _ in sockets if as_link(given.get(name)) is None]
            if sockets:
                self.connect_input(node, (free or [sockets[0][0]])[0])
            else:
                self.say(f"{self.name_of(node)} has no sockets to connect", "warn")
            return
        from .cards import glyph_of
        from .chooser import Choice
        from .steer import labels

        choices = [
            Choice(name.lower(), slot, kind, *glyph_of(kind), letter=letter)
            for letter, (slot, (name, kind)) in zip(labels(len(outs)), enumerate(outs), strict=True)
        ]
        self.ask(
            Question(
                title=f"connect which output of {self.name_of(node)}?",
                choices=choices,
                picked=lambda slot, _: self.connect_output(node, slot),
                letters=True,
                hint="a letter or ⏎ choose  Esc",
            )
        )

    def connect_output(self, node: str, slot: int) -> None:
        """Offer every input that fits; compatible sockets get letters on the canvas."""
        places = self.canvas.picture.drawing.places
        choices = targets(self.nodes, self.types, node, slot, places)
        outs = outputs_of(self.nodes, node, self.types)
        name, kind = outs[slot] if slot < len(outs) else (str(slot), "*")
        if not choices:
            self.say(f"nothing accepts {kind}", "warn")
            return

        def picked(target: Target, _: bool) -> None:
            nodes, at = self.nodes, target.node
            if at is None:
                nodes, at = edits.add(nodes, target.kind, self.types)
            self.link(nodes, node, slot, at, target.input, select=None if target.node else at)

        self.ask(
            Question(
                title=f"connect {title_of(self.nodes, node, self.types)} #{node} . "
                f"{name.lower()} ({kind}) to",
                choices=choices,
                picked=picked,
                letters=True,
                hint=f"a letter or ⏎ connects  / type  Esc · {len(choices)} fit",
                moved=self._show_target,
            )
        )
        letters = {(c.value.node, c.value.input): c.letter for c in choices if c.value.node}
        self.canvas.light(letters, {node, *(at for at, _ in letters)})

    def connect_input(self, node: str, name: str) -> None:
        """Offer every output that fits an input."""
        places = self.canvas.picture.drawing.places
        choices = sources(self.nodes, self.types, node, name, places)
        if not choices:
            self.say(f"nothing in this graph or in the palette gives what {name} takes", "warn")
            return

        def picked(source: Source, _: bool) -> None:
            nodes, at = self.nodes, source.node
            if at is None:
                nodes, at = edits.add(nodes, source.kind, self.types)
            self.link(nodes, at, source.slot, node, name, select=None if source.node else at)

        self.ask(
            Question(
                title=f"{name} of {self.name_of(node)} comes from",
                choices=choices,
                picked=picked,
                letters=True,
                hint=f"a letter or ⏎ connects  / type  Esc · {len(choices)} fit",
                moved=self._show_target,
            )
        )
        letters = {(c.value.node, ""): c.letter for c in choices if c.value.node}
        self.canvas.light(letters, {node, *(at for at, _ in letters)})

    def _show_target(self, value: Target | Source) -> None:
        if value.node is not None:
            self.canvas.reveal(value.node)
            self.canvas.repaint()

    def link(
        self, nodes: Nodes, source: str, slot: int, target: str, name: str, select: str | None
    ) -> None:
        """Make a link, or say why it is refused."""
        reason = edits.why_not(nodes, source, slot, target, name, self.types)
        if reason is not None:
            self.say(f"not linked: {reason}", "bad")
            return
        old = as_link(inputs_of(nodes, target).get(name))
        nodes = edits.link(nodes, source, slot, target, name)
        self.change(f"link {name} of #{target}", nodes, select=select)
        instead = f" instead of {self.name_of(old[0])}" if old and old[0] in nodes else ""
        self.say(f"{self.name_of(source)} → {self.name_of(target)} . {name}{instead}")

    def action_cut(self) -> None:
        node = self.selected
        choices = cuts(self.nodes, self.types, node) if node else []
        if not choices:
            self.say("this node has no links to cut", "warn")
            return

        def picked(link: tuple[str, str], _: bool) -> None:
            target, name = link
            nodes = edits.unlink(self.nodes, target, name, self.types)
            self.change(f"cut {name} of #{target}", nodes)
            self.say(f"cut the link into {name} of {self.name_of(target)}")

        hint = "a letter or ⏎ cuts  / type  Esc"
        title = f"cut a link of {self.name_of(node)}"
        self.ask(Question(title, choices, picked, hint, letters=True))

    # Removing, copying, switching off

    def action_delete(self) -> None:
        self._remove(edits.delete, "deleted")

    def action_heal(self) -> None:
        self._remove(edits.delete_and_heal, "deleted, neighbours joined:")

    def _remove(self, how: Callable[..., Nodes], done: str) -> None:
        chosen = self.chosen
        if not chosen:
            return
        names = self.name_of(chosen[0]) if len(chosen) == 1 else f"{len(chosen)} nodes"
        near = self.canvas.neighbour("left") or self.canvas.neighbour("up")
        nodes = how(self.nodes, chosen, self.types)
        select = near if near in nodes else next(iter(nodes), None)
        self.change(f"delete {names}", nodes, select=select or "", marked=frozenset())
        self.say(f"{done} {names} (u brings it back)")

    def action_copy(self) -> None:
        if self.chosen:
            self.copied = edits.copy(self.nodes, self.chosen)
            self.app.copy_to_clipboard(self.copied)
            self.say(f"copied {len(self.chosen)} node(s), also to the terminal's clipboard")

    def action_paste(self, outside: bool = False) -> None:
        if self.copied:
            self.paste_text(self.copied, outside)
        else:
            self.say("nothing copied yet: y copies nodes; the terminal's own paste works too")

    def paste_text(self, text: str, outside: bool = False) -> None:
        """Add the nodes of a JSON text: our own copy, or a ComfyUI API file."""
        try:
            pasted = edits.parse_pasted(text)
        except UserError as error:
            self.say(str(error), "bad")
            return
        nodes, new = edits.paste(self.nodes, pasted, outside=outside)
        self.change(f"paste {len(new)} nodes", nodes, select=new[0], marked=frozenset(new))
        self.say(f"pasted {len(new)} node(s), marked")

    def action_duplicate(self) -> None:
        chosen = self.chosen
        if chosen:
            picked = edits.parse_pasted(edits.copy(self.nodes, chosen))
            nodes, new = edits.paste(self.nodes, picked, outside=True)
            marked = frozenset(new) if len(new) > 1 else frozenset()
            self.change(f"duplicate {len(new)} nodes", nodes, select=new[0], marked=marked)
            self.say(f"duplicated with its links: {self.name_of(new[0])}")

    def action_mute(self) -> None:
        self._switch(MUTED, "muted: left out with its links")

    def action_bypass(self) -> None:
        self._switch(BYPASSED, "bypassed: its inputs pass through")

    def _switch(self, mode: str, meaning: str) -> None:
        chosen = self.chosen
        if not chosen:
            return
        off = all(mode_of(self.nodes, node) == mode for node in chosen)
        nodes = edits.set_mode(self.nodes, chosen, "" if off else mode)
        self.change(f"{mode} {len(chosen)} nodes", nodes)
        self.say("on again" if off else meaning)

    def action_rename(self) -> None:
        node = self.selected
        if node is None:
            return

        def answer(text: str) -> str | None:
            self.change(f"rename #{node}", edits.rename(self.nodes, node, text))
            return None

        self.ask_line(f"title of #{node}", title_of(self.nodes, node, self.types), answer)

    # Placing

    def action_nudge(self, x: int, y: int) -> None:
        """Move the chosen nodes by cells; they stay where the user put them."""
        picture = self.canvas.picture
        places, (left, top) = picture.drawing.places, picture.shift
        moved: dict[str, tuple[int, int] | None] = {
            node: (max(0, places[node][0] + x) + left, max(0, places[node][1] + y) + top)
            for node in self.chosen
            if node in places
        }
        if moved:
            merge = f"move {sorted(moved)}"
            self.change("move", edits.place(self.nodes, moved), merge=merge)

    def action_arrange(self) -> None:
        """Give the marked nodes, or all, back to the automatic layout."""
        wanted = self.chosen if self.history.now.marked else list(self.nodes)
        pinned: dict[str, tuple[int, int] | None] = {
            node: None for node in wanted if place_of(self.nodes, node) is not None
        }
        if pinned:
            self.change("arrange", edits.place(self.nodes, pinned))
        self.canvas.reveal(self.selected)
        self.canvas.repaint()
        self.say(f"arranged {len(pinned)} node(s) that had been moved")
