"""Whatever is in a results file: an error that says what is wrong, or a run that every reporter can render. Never a traceback."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.cli import main
from oracle.results import SCHEMA_VERSION, ResultsError, Run, read_run
from oracle.results import codec as codec_module
from tests.results.everything import OTHER, Tags, assert_rendered, assert_visible, lines

HOSTILE = "<script>alert(1)</script>\x1b]0;x\x07\x1b[31m\u202e\u2066\x00::error::x\n::stop-commands::y ##[error]z | `@all` ]]>{{ 7*7 }}"
ODD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 2**31, 2**63, -(2**70), 10**400, 0.5, -0.0, -1e300, 1e308, 5e-324),
    *("", "x", "NaN", "Infinity", "-Infinity", "1e400", HOSTILE, "javascript:alert(1)", "x" * 2_000_000),
    *([], {}, [[]], [{"a": []}], {HOSTILE: 1}, [1] * 40, [2**62, 2**62], [0, 2**62], ["a", "a"]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def given_back(content: bytes, folder: Path) -> Run | None:
    """The run that a file of `content` gives, rendered by all; None where it is refused in words."""
    path = folder / "results.jsonl"
    path.write_bytes(content)
    try:
        run = read_run(path)
    except ResultsError as error:
        assert str(path) in str(error)
        return None
    assert_rendered(run, folder)
    return run


def test_the_file_itself_is_sound(folder: Path) -> None:
    run = given_back(b"\n".join(lines()), folder)
    assert run is not None and run.n_damaged == 0
    kinds = {json.loads(line)["kind"] for line in lines()}
    assert kinds == {"header", "result", "depth", "seen", "worst", "sample", "planted", "health", "counterexample", "note", "footer"}
    assert all(name.startswith(("diff", "legs", "training", "gradcheck")) for name in OTHER), "a new reporter is to be tried as well"


def paths(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, item in inner for path in paths(item, (*here, key)))]


PLACES = [(at, path) for at, line in enumerate(lines()) for path in paths(json.loads(line))]


def changed(at: int, path: tuple[str | int, ...], value: Any) -> bytes:
    """The file with one value changed; None as a path changes the whole line."""
    whole = [json.loads(line) for line in lines()]
    target: Any = whole
    *most, last = (at, *path)
    for key in most:
        target = target[key]
    target[last] = value
    return b"\n".join(json.dumps(line).encode() for line in whole)


@settings(max_examples=90)
@given(place=st.sampled_from(PLACES), value=st.sampled_from(ODD))
def test_any_value_may_be_anything(place: tuple[int, tuple[str | int, ...]], value: Any, folder: Path) -> None:
    given_back(changed(*place, value), folder)


@settings(max_examples=40)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 40)), min_size=1, max_size=4))
def test_any_bytes_may_be_others(edits: list[tuple[float, bytes, int]], folder: Path) -> None:
    content = b"\n".join(lines())
    for where, put, gone in edits:
        at = int(where * len(content))
        content = content[:at] + put + content[at + gone :]
    given_back(content, folder)


@settings(max_examples=20)
@given(order=st.lists(st.sampled_from(range(len(lines()))), max_size=30))
def test_lines_may_be_missing_or_there_twice_in_any_order(order: list[int], folder: Path) -> None:
    run = given_back(b"\n".join([lines()[0], *(lines()[at] for at in order if at)]), folder)
    assert run is not None


def test_a_file_cut_off_at_any_byte_is_refused_or_incomplete(folder: Path) -> None:
    short = [lines()[0], lines()[2], lines()[-1]]
    whole = b"\n".join(short)
    path = folder / "cut.jsonl"
    refused = 0
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            run = read_run(path)
        except ResultsError:
            refused += 1
        else:
            assert run.footer is None and run.n_damaged <= 1
    assert refused == len(short[0]), "until the header is whole"


NO_TEXT = {"kind", "status", "role", "outcome", "lane", "worst_outcome", "data", "expires", "dtype", "cases", "margin", "max_abs"}
"""Strings with a meaning to the reader: one of a few words, or a number."""


def text_places() -> list[tuple[int, tuple[str | int, ...]]]:
    """Every string in the file that is free text."""
    found = []
    for at, path in PLACES:
        value: Any = json.loads(lines()[at])
        for key in path:
            value = value[key]
        if isinstance(value, str) and path[-1] not in NO_TEXT:
            found.append((at, path))
    return found


def poisoned() -> bytes:
    """The file with the worst text in every field that takes any."""
    whole = [json.loads(line) for line in lines()]
    for at, path in text_places():
        target: Any = whole[at]
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = target[path[-1]][:40] + HOSTILE
    return b"\n".join(json.dumps(line).encode() for line in whole)


def test_hostile_text_in_every_field_at_once_is_shown_as_text(folder: Path) -> None:
    run = given_back(poisoned(), folder)
    assert run is not None and run.n_damaged == 0 and len(text_places()) > 100
    assert len(run.results) == 3 and run.header.layers[0].name.endswith(HOSTILE)


def test_no_name_is_a_command_to_the_log_of_a_job(folder: Path) -> None:
    for name in ("::stop-commands::x", " ::error::x", "##[error]x"):
        run = given_back(b"\n".join(lines()).replace(b'"Relu"', json.dumps(name).encode()), folder)
        assert run is not None and run.n_damaged == 0 and run.header.layers[0].name == name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("n_judged",), -1),
        (("n_failed",), 11),
        (("n_failed",), "NaN"),
        (("n_judged",), 10**400),
        (("n_judged",), 2**63),
        (("n_replay_failed",), 4),
        (("status",), "passed"),
        (("margin",), "seven"),
        (("margin",), -0.5),
        (("check_version",), 1.5),
        (("ulps",), {"0": -1}),
        (("margins",), {str(n): 1 for n in range(20_000)}),
        (("layer",), "x" * 2**20),
        (("layer",), ""),
        (("novelty",), 1),
    ],
    ids=lambda value: str(value)[:30],
)
def test_impossible_numbers_are_damage(path: tuple[str], value: Any, folder: Path) -> None:
    run = given_back(changed(1, path, value), folder)
    assert run is not None and run.n_damaged == 1 and "forward.y" not in {r.quantity for r in run.results}


@pytest.mark.parametrize("index", [[2, 0], [0, 3], [0], [0, 0, 0], [2**62, 0]])
def test_an_index_outside_of_its_array_is_damage(index: list[int], folder: Path) -> None:
    run = given_back(changed(7, ("minimised_comparison", "worst_index"), index), folder)
    assert run is not None and run.n_damaged == 1 and [c.id for c in run.counterexamples] == ["a"]


def test_deep_nesting_is_damage(folder: Path) -> None:
    case = json.loads(lines()[6])["case"]
    deep = json.dumps(case).replace('"prior": null', '"prior": @')
    for depth in (50, 100_000):
        nested = "".join([deep.replace("@", "", 1).rstrip("}")] * depth) + "null" + "}" * depth
        line = lines()[6].replace(json.dumps(case, separators=(",", ":")).encode(), nested.encode())
        run = given_back(b"\n".join([lines()[0], line, *lines()[1:]]), folder)
        assert run is not None and (run.n_damaged == 1 or depth == 50)
    for opened in (b"[", b'{"a":'):
        assert given_back(opened * 200_000, folder) is None
        run = given_back(b"\n".join([lines()[0], opened * 200_000, *lines()[1:]]), folder)
        assert run is not None and run.n_damaged == 1


def test_two_layers_of_one_name_are_refused(folder: Path) -> None:
    layer = json.loads(lines()[0])["layers"][0]
    with pytest.raises(ResultsError, match="two layers with the name 'Relu'"):
        _read(changed(0, ("layers",), [layer, layer]), folder)


def test_duplicate_ids_and_rows_are_one(folder: Path) -> None:
    run = given_back(b"\n".join([*lines()[:-1], *lines()[1:-1], lines()[-1]]), folder)
    assert run is not None and [c.id for c in run.counterexamples] == ["a", "b"]
    assert len(run.results) == 3 and len(run.samples) == 1 and len(run.planted) == 2


def test_two_runs_in_one_file_are_refused(folder: Path) -> None:
    with pytest.raises(ResultsError, match="more than one run"):
        _read(b"\n".join([*lines(), *lines()]), folder)


def test_what_follows_the_footer_is_damage(folder: Path) -> None:
    late = json.loads(lines()[2]) | {"quantity": "late"}
    run = _read(b"\n".join([*lines(), json.dumps(late).encode()]), folder)
    assert run.n_damaged == 1 and "late" not in {r.quantity for r in run.results}


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_schema_is_read(version: int, folder: Path) -> None:
    whole = [json.loads(line) for line in lines()]
    added = {"boundaries", "n_planted", "gate", "corpus", "label", "source", "shard", "margins", "ulps", "extents", "lane"}
    added |= {"n_replayed", "n_replay_failed", "first_failed", "all_actual", "all_expected", "all_allowed"}
    added |= {"spec", "target", "convention", "search_path", "not_claimed"} if version == 1 else set()

    def older(value: Any) -> Any:
        if isinstance(value, dict):
            # the counts of what boundaries were hit are as old as depth itself
            return {k: older(v) for k, v in value.items() if k not in added or (k == "boundaries" and isinstance(v, dict))}
        return [older(v) for v in value] if isinstance(value, list) else value

    kinds = {"header", "result", "depth", "counterexample", "footer"} | ({"note"} if version == 2 else set())
    old = [older(line) for line in whole if line["kind"] in kinds]
    old[0]["schema_version"] = version
    run = given_back(b"\n".join(json.dumps(line).encode() for line in old), folder)
    assert run is not None and run.n_damaged == 0 and len(run.results) == 3 and run.header.gate is None


def test_a_newer_schema_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ResultsError, match=f"schema {SCHEMA_VERSION + 1}; this gradconform reads up to {SCHEMA_VERSION}. Update"):
        _read(changed(0, ("schema_version",), SCHEMA_VERSION + 1), folder)


def test_line_ends_and_a_byte_order_mark_make_no_difference(folder: Path) -> None:
    plain = _read(b"\n".join(lines()), folder)
    assert _read(b"\r\n".join(lines()) + b"\r\n", folder).results == plain.results
    marked = _read(b"\xef\xbb\xbf" + b"\n\n".join(lines()), folder)
    assert marked.header == plain.header and marked.n_damaged == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a gradconform results file"),
        (b"\x1f\x8b\x08\x00junk", "is compressed. Unpack it first"),
        (b"\n".join(lines()).decode().encode("utf-16"), "not a gradconform results file"),
        (b"\xff\xfe\x00", "not a gradconform results file"),
        (b"\n\n  \n", "not a gradconform results file"),
        (b"[" * 100_000, "not a gradconform results file"),
    ],
    ids=["empty", "gzip", "utf-16", "not utf-8", "blank", "deep"],
)
def test_what_is_none_of_ours_is_refused_in_words(content: bytes, words: str, folder: Path) -> None:
    with pytest.raises(ResultsError, match=words):
        _read(content, folder)


def _read(content: bytes, folder: Path) -> Run:
    path = folder / "one.jsonl"
    path.write_bytes(content)
    return read_run(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_a_pipe_a_folder_and_a_device_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "no plain file"), (tmp_path, "cannot read"), (Path(os.devnull), "no plain file")):
        with pytest.raises(ResultsError, match=words):
            read_run(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(lines()))
    path.chmod(0)
    with pytest.raises(ResultsError, match="Permission denied"):
        read_run(path)


def test_a_file_that_is_too_large_is_not_begun_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(codec_module.MAX_FILE + 1)
    with pytest.raises(ResultsError, match="no run writes more"):
        read_run(path)


def test_a_line_that_is_too_long_is_damage_and_not_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "MAX_LINE", 10_000)
    run = given_back(b"\n".join([lines()[0], b'{"kind":"note","x":"' + b"y" * 25_000 + b'"}', *lines()[1:]]), folder)
    assert run is not None and run.n_damaged == 3 and len(run.results) == 3


@pytest.mark.parametrize(("command", "code"), [("report", 3), ("replay", 1)])
def test_the_commands_end_with_a_word(command: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    for place, value in ((("layers", 0, HOSTILE), 1), (("run_id",), ""), (("settings",), [])):
        path.write_bytes(changed(0, place, value))
        done = CliRunner().invoke(main, [command, str(path)])
        assert done.exit_code == 2 and isinstance(done.exception, SystemExit)
        assert "Error: " in done.output and "\x1b" not in done.output
    path.write_bytes(changed(7, ("id",), HOSTILE[:180]))
    done = CliRunner().invoke(main, [command, str(path)])
    assert done.exit_code == code and isinstance(done.exception, SystemExit)
    assert "\x1b" not in done.output and not re.search(r"^\s*::", done.output, re.M)


def test_diff_and_merge_show_hostile_text_as_text(tmp_path: Path) -> None:
    plain, odd, out = tmp_path / "plain.jsonl", tmp_path / "odd.jsonl", tmp_path / "out"
    plain.write_bytes(b"\n".join(lines()))
    odd.write_bytes(poisoned())
    pages = ["--html", str(out / "diff.html"), "--json", str(out / "diff.json")]
    for arguments in (
        ["diff", str(plain), str(odd), *pages],
        ["diff", str(odd), str(plain), *pages],
        ["merge", f"x={plain}", f"y={odd}", "--expect", "x,y,z", "--out", str(out)],
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code in (0, 1, 3) and isinstance(done.exception, SystemExit | type(None)), done.output
        assert_visible(done.output)
        assert not re.search(r"^\s*::|##\[", done.output, re.M)
        for page in out.glob("*.html"):
            assert Tags(page.read_text()).tags.count("script") == 1
    json.loads((out / "diff.json").read_text())
    assert {page.name for page in out.glob("*.html")} == {"diff.html", "legs.html"}
