"""Reading, overriding and writing graph documents."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nst_graph import registry
from nst_graph.document import (
    Document,
    apply_overrides,
    find_graph,
    parse,
    read,
    shipped_graphs,
    write,
)
from nst_graph.errors import UserError
from nst_graph.registry import NodeType

CORPUS = Path(__file__).with_name("corpus") / "documents"


class Paint:
    FUNCTION, CATEGORY, RETURN_TYPES = "run", "test", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "steps": ("INT", {"default": 3}),
                "weight": ("FLOAT", {"default": 0.5}),
                "prompt": ("STRING", {"default": ""}),
                "clamp": ("BOOLEAN", {"default": True}),
                "kind": (["lbfgs", "adam", 3],),
                "image": ("IMAGE",),
            },
            "optional": {"other": ("*",)},
        }


TYPES: dict[str, NodeType] = {"Paint": registry._describe("Paint", Paint)}


def node(class_type: str = "Paint", title: str = "", /, **inputs: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    return data | ({"_meta": {"title": title}} if title else {})


def parsed(value: Any) -> Document:
    return parse(json.dumps(value).encode(), "g.json", TYPES)


def refusal(data: bytes) -> str:
    with pytest.raises(UserError) as raised:
        parse(data, "g.json", TYPES)
    return str(raised.value)


# -- formats


def test_an_api_map_is_read_as_it_is_without_the_stale_fingerprints() -> None:
    graph = {"1": {**node(steps=2), "is_changed": ["abc"], "note": {"by": "me"}}}
    document = parsed(graph)
    assert document.nodes == {"1": {**node(steps=2), "note": {"by": "me"}}}
    assert (document.origin, document.workflow, document.notes) == ("api", None, ())


def test_a_post_body_gives_its_prompt_and_its_workflow() -> None:
    extra = {"extra_pnginfo": {"workflow": {"nodes": []}, "nst": {"version": 1}}}
    document = parsed({"prompt": {"1": node()}, "client_id": "x", "extra_data": extra})
    assert document.nodes == {"1": node()}
    assert (document.origin, document.workflow) == ("post", {"nodes": []})
    assert document.nst == {"version": 1}


def test_a_node_whose_id_is_prompt_is_still_a_node() -> None:
    assert parsed({"prompt": node()}).nodes == {"prompt": node()}


def test_an_empty_map_is_a_document_that_the_check_will_refuse() -> None:
    assert parsed({}).nodes == {}


def test_what_is_no_node_is_left_for_the_check() -> None:
    assert parsed({"1": node(), "version": 3}).nodes["version"] == 3


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps({"1": node()}).encode()).nodes == {"1": node()}


# -- refusals


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (b"", (1, 1), "empty"),
        (b" \n\n", (1, 1), "empty"),
        (b"\0" * 64, (1, 1), "empty"),
        (b'{"1":\n  {"a": NaN}}', (2, 9), "NaN is not a number"),
        (b'{"1":\n\n [1, -Infinity]}', (3, 6), "-Infinity is not a number"),
        (b'{"1": 1e999}', (1, 7), "1e999 is too large"),
        (b'{"1": -1E+999}', (1, 7), "-1E+999 is too large"),
        (b'{"1": {"a": 1,\n "b": {"a": 2}, "a": 3}}', (2, 17), "'a' is here a second time"),
        (b'{"a": 1, "\\u0061": 2}', (1, 10), "'a' is here a second time"),
        (b'{"x": "{", "1": {"NaN": 1}, "1": 2}', (1, 29), "'1' is here a second time"),
        (b'{"1": ' + b"9" * 5000 + b"}", (1, 7), "an integer of 5000 digits"),
        (b'{"1": ' + b"[" * 200 + b"]" * 200 + b"}", (1, 70), "nested more than 64 levels"),
        (b"[" * 200_000, (1, 65), "nested more than 64 levels"),
        (b'{"a":' * 100_000, (1, 321), "nested more than 64 levels"),
        (b'{"1": "\\ud83d"}', (1, 7), "half of a surrogate pair"),
        (b'{"1":\n "caf\xe9"}', (2, 6), "not UTF-8"),
        ('{"1": 1}'.encode("utf-16"), (1, 1), "UTF-16"),
        ('{"1": 1}'.encode("utf-32"), (1, 1), "UTF-32"),
        (b'{"1": 1,}', (1, 9), "a comma before }"),
        (b"{'1': 1}", (1, 2), "single quote"),
        (b'{"1": 1 "2": 2}', (1, 9), "a comma or a closing bracket is missing"),
        (b'{"1": {"a": 1}', (1, 15), "ends too early"),
        (b'{"1": "abc', (1, 7), "does not end"),
        (b'{"1": 1}\n{"2": 2}', (2, 1), "the file goes on"),
        (b'{"1": "a\nb"}', (1, 9), "line break"),
        (b'{ // comment\n"1": 1}', (1, 3), "a comment"),
        (b'{"1": True}', (1, 7), "not JSON"),
        (b"[]", (1, 1), "a list, not an object of nodes"),
        (b'"graph"', (1, 1), "a text, not an object of nodes"),
        (b"null", (1, 1), "null, not an object of nodes"),
        (b"7", (1, 1), "a value, not an object of nodes"),
        (b'{"name": "x", "version": 1}', (1, 1), "JSON, but no graph (keys 'name', 'version')"),
    ],
)
def test_a_broken_file_is_refused_with_line_column_and_advice(
    data: bytes, place: tuple[int, int], words: str
) -> None:
    message = refusal(data)
    assert message.startswith(f"g.json, line {place[0]}, column {place[1]}: ")
    assert words in message
    assert " - " in message, "no advice"


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\xff\xd8\xff\xe0", "JPEG"), (b"RIFF", "WebP"), (b"PK\3\4", "ZIP")]
)
def test_a_file_of_another_kind_is_named(start: bytes, kind: str) -> None:
    assert kind in refusal(start + b"....")


def test_what_only_looks_suspicious_is_accepted() -> None:
    odd = {"1": node(prompt='NaN Infinity 1e999 {"a": 1, "a": 2} \\', steps=10**300)}
    assert parsed(odd).nodes == odd
    emoji = {"1": node(prompt="🎨", weight=1e308)}
    assert json.dumps(emoji).count("\\ud83c") == 1
    assert parsed(emoji).nodes == emoji


def test_files_above_the_limits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(UserError, match="larger than 16 MB"):
        read(path, TYPES)
    with pytest.raises(UserError, match="larger than 16 MB"):
        parse(b" " * ((16 << 20) + 1))
    many = {str(n): node() for n in range(10_001)}
    with pytest.raises(UserError, match="10001 nodes - at most 10000"):
        parsed(many)


def test_a_hostile_file_of_sixteen_megabytes_is_answered_in_seconds() -> None:
    size = 16 << 20
    for data in (
        b"[" * size,
        b'{"a":"' + b"\\u0041" * (size // 6 - 10) + b'","a":1}',
        b'{"a":' + b"9" * (size - 10) + b"}",
        b'{"a":"' + b"x" * (size - 10),
    ):
        begin = time.process_time()
        refusal(data)
        assert time.process_time() - begin < 8


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_folder_a_pipe_and_nothing_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "not a file"), (".", "not a file"), ("gone.json", "no such file")):
        with pytest.raises(UserError, match=words):
            read(tmp_path / name, TYPES)


@pytest.mark.parametrize(
    "path", sorted(p for p in CORPUS.glob("*") if p.suffix != ".md"), ids=lambda path: path.name
)
def test_every_broken_file_of_the_corpus_is_one_clear_error(path: Path) -> None:
    with pytest.raises(UserError) as raised:
        read(path, TYPES)
    assert path.name in str(raised.value)
    assert "\n" not in str(raised.value)


JSONISH = st.text(st.sampled_from('{}[]:,"\\ \n0123456789.eE+-NaInfity\ud7ffu1x/ud'), max_size=60)


@settings(max_examples=300, deadline=None)
@given(JSONISH.map(str.encode) | st.binary(max_size=80))
def test_no_bytes_cause_anything_but_a_user_error(data: bytes) -> None:
    try:
        parse(data, "g.json", TYPES)
    except UserError as error:
        assert "g.json" in str(error)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_to_a_graph_causes_anything_but_a_user_error(data: st.DataObject) -> None:
    text = bytearray(json.dumps({"1": node(image=["2", 0]), "2": node(prompt="é")}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        parse(bytes(text), "g.json", TYPES)
    except UserError as error:
        assert "g.json" in str(error)


# -- pictures


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + data + chunk(b"IEND", b"")


def text_chunk(keyword: str, text: str, how: str = "tEXt") -> bytes:
    key, raw = keyword.encode(), text.encode()
    body = {
        "tEXt": key + b"\0" + raw,
        "zTXt": key + b"\0\0" + zlib.compress(raw),
        "iTXt": key + b"\0\0\0\0\0" + raw,
        "iTXt packed": key + b"\0\1\0en\0Titel\0" + zlib.compress(raw),
    }[how]
    return chunk(how[:4].encode(), body)


@pytest.mark.parametrize("how", ["tEXt", "zTXt", "iTXt", "iTXt packed"])
def test_a_picture_gives_the_graph_the_workflow_and_the_recipe_inside(
    how: str, tmp_path: Path
) -> None:
    graph = {"1": node(prompt="größer"), "2": node(image=["1", 0])}
    path = tmp_path / "p.png"
    path.write_bytes(
        png(
            text_chunk("Software", "x"),
            text_chunk("prompt", json.dumps(graph, ensure_ascii=False), how),
            text_chunk("workflow", '{"nodes": []}', how),
            text_chunk("nst", '{"version": 1}', how),
        )
    )
    document = read(path, TYPES)
    assert document.nodes == graph
    assert (document.origin, document.source) == ("png", path)
    assert (document.workflow, document.nst) == ({"nodes": []}, {"version": 1})


def test_pillow_writes_what_we_read() -> None:
    image = pytest.importorskip("PIL.Image")
    info = pytest.importorskip("PIL.PngImagePlugin").PngInfo()
    graph = {"1": node(prompt="ü" * 3000)}
    info.add_text("prompt", json.dumps(graph), zip=True)
    info.add_itxt("workflow", json.dumps({"nodes": [], "ü": 1}, ensure_ascii=False))
    buffer = io.BytesIO()
    image.new("RGB", (300, 300)).save(buffer, "PNG", pnginfo=info)
    document = parse(buffer.getvalue())
    assert (document.nodes, document.workflow) == (graph, {"nodes": [], "ü": 1})


def test_not_a_number_in_a_fingerprint_of_a_picture_is_dropped_with_it() -> None:
    text = '{"1": {"class_type": "Paint", "inputs": {}, "is_changed": [NaN]}}'
    assert parse(png(text_chunk("prompt", text))).nodes == {"1": node()}


def test_not_a_number_in_a_value_of_a_picture_is_refused() -> None:
    text = '{"1": {"class_type": "Paint", "inputs": {"weight": Infinity}}}'
    assert "node #1, inputs, weight is inf" in refusal(png(text_chunk("prompt", text)))


def test_texts_after_the_pixels_and_in_a_picture_cut_short_are_found() -> None:
    late = png()[:-12] + text_chunk("prompt", json.dumps({"1": node()}))
    assert parse(late).nodes == {"1": node()}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(), "has no graph in it"),
        (png(text_chunk("parameters", "a cat")), "has no graph in it"),
        (png()[:20], "has no graph in it"),
        (png(text_chunk("prompt", "a cat, oil on canvas")), "line 1, column 1"),
        (png(text_chunk("prompt", "[1]")), "is not a graph"),
        (png(chunk(b"zTXt", b"prompt\0\0no zlib")), "cannot unpack"),
        (png(chunk(b"tEXt", b"prompt\0{}")[:-1] + b"\0"), "was altered"),
        (b"\x89PNG\r\n\x1a\n" + b"\xff" * 40, "is damaged: no PNG chunk"),
        (png(text_chunk("prompt", " " * (17 << 20), "zTXt")), "larger than 16 MB"),
        (png(text_chunk("prompt", " " * (17 << 20))), "larger than 16 MB"),
    ],
)
def test_a_picture_without_a_sound_graph_is_one_clear_error(data: bytes, words: str) -> None:
    message = refusal(data)
    assert words in message and message.startswith("g.json")


def test_an_unreadable_extra_text_does_not_hide_the_graph() -> None:
    data = png(text_chunk("workflow", "{"), text_chunk("prompt", json.dumps({"1": node()})))
    assert (parse(data).nodes, parse(data).workflow) == ({"1": node()}, None)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_to_a_picture_causes_anything_but_a_user_error(data: st.DataObject) -> None:
    raw = bytearray(png(*(text_chunk("prompt", '{"1":{}}', how) for how in ("zTXt", "iTXt"))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        parse(bytes(raw), "g.json", TYPES)
    except UserError as error:
        assert "g.json" in str(error)


# -- overrides

GRAPH = {
    "1": node("Paint", "content", steps=1, image=["2", 0]),
    "2": node("Paint", "Style A", kind="adam"),
    "1.0.0.3": node("Paint", "style a"),
    "12:3": node("Paint", "3"),
    "7": node("Gone", "gone"),
}


def changed(*overrides: str) -> tuple[dict[str, Any], list[tuple[str, str, Any, Any]]]:
    document, changes = apply_overrides(Document(dict(GRAPH)), list(overrides), TYPES)
    return document.nodes, changes


@pytest.mark.parametrize(
    ("text", "node_id", "name", "value"),
    [
        ("1.steps=5", "1", "steps", 5),
        ("1.steps=5.0", "1", "steps", 5),
        ("1.steps=1e3", "1", "steps", 1000),
        ("1.steps=-4", "1", "steps", -4),
        ("1.steps=9007199254740993", "1", "steps", 9007199254740993),
        ("1.weight=5", "1", "weight", 5.0),
        ("1.weight=1e4", "1", "weight", 1e4),
        ("1.clamp=no", "1", "clamp", False),
        ("1.clamp=ON", "1", "clamp", True),
        ("1.kind=lbfgs", "1", "kind", "lbfgs"),
        ("1.kind=3", "1", "kind", 3),
        ("1.kind=/photos/me.jpg", "1", "kind", "/photos/me.jpg"),
        ("1.prompt=a=b.c=[1]", "1", "prompt", "a=b.c=[1]"),
        ("1.prompt=", "1", "prompt", ""),
        ("1.prompt=1", "1", "prompt", "1"),
        ('1.image=["12:3",0]', "1", "image", ["12:3", 0]),
        ("1.image=[2, 1]", "1", "image", ["2", 1]),
        ('1.prompt=["2",0]', "1", "prompt", ["2", 0]),
        ('1.prompt=["99",0]', "1", "prompt", '["99",0]'),
        ("1.other=[1, 2, 3]", "1", "other", {"__value__": [1, 2, 3]}),
        ("1.other=blue", "1", "other", "blue"),
        ("1.0.0.3.steps=2", "1.0.0.3", "steps", 2),
        ("12:3.steps=2", "12:3", "steps", 2),
        ("content.steps=2", "1", "steps", 2),
        ("CONTENT.steps=2", "1", "steps", 2),
        ("Style A.steps=2", "2", "steps", 2),
        ("style a.steps=2", "1.0.0.3", "steps", 2),
        ("3.steps=2", "12:3", "steps", 2),
    ],
)
def test_an_override_finds_its_input_and_is_read_by_its_type(
    text: str, node_id: str, name: str, value: Any
) -> None:
    nodes, changes = changed(text)
    found = nodes[node_id]["inputs"][name]
    assert found == value and type(found) is type(value)
    assert changes == [(node_id, name, GRAPH[node_id]["inputs"].get(name), value)]
    others = {k: v for k, v in nodes.items() if k != node_id}
    assert others == {k: v for k, v in GRAPH.items() if k != node_id}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps=5", "is not NODE.INPUT=VALUE"),
        ("1.steps", "is not NODE.INPUT=VALUE"),
        (".steps=1", "is not NODE.INPUT=VALUE"),
        ("STYLE A.steps=1", "means 2 nodes (#1.0.0.3, #2) - use the id of one"),
        ("Paint.steps=1", "means 4 nodes"),
        ("contnt.steps=1", "no node 'contnt' - did you mean 'content'?"),
        ("zzzz.steps=1", "the graph has content (#1), style a (#1.0.0.3)"),
        ("1.stps=1", "Paint (#1) has no input 'stps' - did you mean 'steps'"),
        ("1.zzzz=1", "it has steps, weight, prompt"),
        ("gone.steps=1", "#7 is of an unknown class 'Gone'"),
        ("1.steps=2.5", "#1.steps (INT) expects a whole number, not '2.5'"),
        ("1.steps=many", "expects a whole number"),
        ("1.weight=nan", "expects a number such as 0.5"),
        ("1.weight=1e999", "expects a number such as 0.5"),
        ("1.clamp=perhaps", "expects true or false, not 'perhaps'"),
        ("1.image=photo.png", 'but a link such as ["1", 0]'),
        ('1.image=["99",0]', "but a link"),
    ],
)
def test_an_override_that_cannot_be_applied_says_why(text: str, words: str) -> None:
    with pytest.raises(UserError) as raised:
        changed(text)
    assert words in str(raised.value)


def test_a_class_used_once_names_its_node() -> None:
    document = Document({"4": node(), "5": node("Gone")})
    assert apply_overrides(document, ["paint.steps=9"], TYPES)[1] == [("4", "steps", None, 9)]


def test_overrides_apply_in_order_and_leave_the_document_alone() -> None:
    document = Document(GRAPH)
    before = json.dumps(GRAPH)
    found, changes = apply_overrides(document, ["1.steps=5", "content.steps=6"], TYPES)
    assert changes == [("1", "steps", 1, 5), ("1", "steps", 5, 6)]
    assert found.nodes["1"]["inputs"]["steps"] == 6
    assert json.dumps(GRAPH) == before


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_no_override_text_causes_anything_but_a_user_error(text: str) -> None:
    for full in (
        text,
        f"1.{text}",
        *(f"1.{name}={text}" for name in Paint.INPUT_TYPES()["required"]),
    ):
        try:
            changed(full)
        except UserError as error:
            assert str(error)


# -- writing

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=3
        )
    ),
    max_leaves=8,
)
NODE_MAPS = st.dictionaries(
    st.from_regex(r"[0-9]{1,3}([.:][0-9]{1,2})?", fullmatch=True),
    st.fixed_dictionaries(
        {
            "class_type": st.text(max_size=5),
            "inputs": st.dictionaries(
                st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4
            ),
        },
        optional={
            "_meta": st.fixed_dictionaries({"title": st.just("ein Ü 🎨\u2028")}),
            "extra": VALUES,
        },
    ),
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(NODE_MAPS)
def test_what_is_written_is_read_again(nodes: dict[str, Any]) -> None:
    text = write(Document(nodes))
    assert parse(text.encode()).nodes == nodes
    assert json.loads(text) == nodes
    assert write(parse(text.encode())) == text


def test_what_is_written_is_easy_to_read_and_compare() -> None:
    nodes = {
        "10": {"_meta": {"title": "Größe"}, "inputs": {"image": ["9", 0]}, "class_type": "B"},
        "9": {**node("A"), "is_changed": [1], "zz": [1, {"a": 2}]},
    }
    assert write(Document(nodes)) == (
        "{\n"
        '  "9": {\n'
        '    "class_type": "A",\n'
        '    "inputs": {},\n'
        '    "zz": [1, {"a": 2}]\n'
        "  },\n"
        '  "10": {\n'
        '    "class_type": "B",\n'
        '    "inputs": {\n'
        '      "image": ["9", 0]\n'
        "    },\n"
        '    "_meta": {\n'
        '      "title": "Größe"\n'
        "    }\n"
        "  }\n"
        "}\n"
    )


def test_a_value_that_json_cannot_hold_is_named() -> None:
    with pytest.raises(UserError, match="node #1, inputs, weight is nan"):
        write(Document({"1": node(weight=float("nan"))}))


# -- finding


def test_a_path_wins_over_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = tmp_path / "shipped"
    (graphs / "presets").mkdir(parents=True)
    for name in ("quickstart", "presets/oil"):
        (graphs / f"{name}.json").write_text("{}")
    monkeypatch.setattr("nst_graph.graphs.__path__", [str(graphs)])
    monkeypatch.chdir(tmp_path)
    assert sorted(shipped_graphs()) == ["presets/oil", "quickstart"]
    assert find_graph("quickstart") == graphs / "quickstart.json"
    assert find_graph("presets/oil") == graphs / "presets" / "oil.json"
    assert find_graph("oil") == graphs / "presets" / "oil.json"
    Path("quickstart").mkdir()
    assert find_graph("quickstart") == graphs / "quickstart.json"
    Path("quickstart").rmdir()
    Path("quickstart").write_text("{}")
    assert find_graph("quickstart") == Path("quickstart")
    Path("mine.json").write_text("{}")
    for name, words in (
        ("quikstart", "did you mean 'quickstart'"),
        ("mein.json", "did you mean 'mine.json'?"),
        ("presets/oli", "did you mean 'presets/oil'?"),
        ("presets/../quickstart", "no graph"),
        ("zzzz", "a shipped one: quickstart, presets/oil"),
        ("shipped", "is a folder"),
        ("a\0b", "no graph"),
        ("x" * 5000, "no graph"),
        ("", "is a folder"),
    ):
        with pytest.raises(UserError) as raised:
            find_graph(name)
        assert words in str(raised.value)
