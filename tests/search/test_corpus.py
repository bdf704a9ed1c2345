"""Stored cases: what is kept of a run, what a file may hold, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oracle.core.case import Case
from oracle.core.stored import stored_array, stored_case
from oracle.results import CaseData, Counterexample, Run, Settings, read_run, verdict
from oracle.search import corpus as module
from oracle.search.campaign import campaign
from oracle.search.corpus import Corpus, CorpusError, Kept, file_name, finds, keep, read_corpus, read_kept, write_kept
from oracle.search.declaration import Plan
from oracle.search.entrant import dismiss, own
from oracle.search.environment import environment
from oracle.search.lanes import strays
from oracle.subjects import subject_of
from reference import Relu
from tests.results.records import counterexample, result, run


@pytest.fixture(autouse=True)
def _nobody_is_held() -> Iterator[None]:
    """A subject that one test puts in the place of a layer is not the next one's."""
    dismiss()
    yield
    dismiss()


def case(x: float = 1.5, **changes: Any) -> CaseData:
    array = np.array([[x]])
    given = {"branch": "matrix", "dtype": "float64", "config": {}, "dims": {"x": ("N", "D"), "dout": ("N", "D")}}
    drawn = Case("Relu", inputs={"x": array}, params={}, cotangents={"out": np.array([[2.0]])}, **given)  # type: ignore[arg-type]
    return stored_case(drawn).model_copy(update=changes)


def kept(data: CaseData | None = None, **changes: Any) -> Kept:
    data = data or case()
    found = {"date": "2026-01-01", "seed": 3, "index": 7}
    return Kept(**{"layer": "Relu", "rows": ("forward.out",), "digest": data.digest, "found": found, "case": data, **changes})


def test_a_case_comes_back_bit_for_bit_under_a_name_that_tells_it(tmp_path: Path) -> None:
    stored = kept(case(float("nan")), layer="layers.py:Relu", note="seen on a ship")
    path = write_kept(stored, tmp_path / "new")
    assert path is not None and path.name == f"layers.py_Relu-forward.out-{stored.digest}.json"
    assert read_kept(path) == stored
    assert write_kept(stored, tmp_path / "new") is None, "nothing is overwritten"


@pytest.mark.parametrize("layer", ["../../etc/passwd", "..", "a/b\\c:d", "\u202e\x1b[31m", "x" * 200, "."])
def test_no_name_leads_out_of_the_folder(layer: str, tmp_path: Path) -> None:
    name = file_name(kept(layer=layer, rows=("../up",)))
    assert name == os.path.basename(name) and not name.startswith(".") and name.isascii() and len(name) < 160
    assert write_kept(kept(layer=layer), tmp_path) is not None and [p.parent for p in tmp_path.rglob("*.json")] == [tmp_path]


def _text(**changes: Any) -> str:
    return json.dumps({**json.loads(kept().model_dump_json()), **changes})


OTHER = json.loads(case(9.0).model_dump_json())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no stored case"),
        ("[]", "is no stored case"),
        (_text()[:200], "is no stored case"),
        ("[" * 100_000, "is no stored case"),
        ("\ufeff" + _text(), "is no stored case"),
        (_text(kind="result"), "is no stored case: kind"),
        (_text(extra=1), "is no stored case: extra"),
        (_text(layer="x" * 1_000_000), "is no stored case: layer"),
        (_text(schema_version=2), r"newer gradconform \(version 2 of the format\). Update"),
        (_text(case=OTHER), "has been changed: its digest is of another case"),
        (_text(digest="0" * 16), "has been changed: its digest is of another case"),
        (_text(rows=[]), "names no row"),
        (_text(case={**OTHER, "layout": "spiral"}), "memory layout 'spiral'"),
        (_text(case={**OTHER, "protocol": "telepathy"}), "protocol that there is none of"),
    ],
    ids=range(14),
)
def test_what_cannot_be_relied_on_is_refused_with_the_reason(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=told) as caught:
        read_kept(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 1000


def test_a_name_that_gives_another_digest_is_refused(tmp_path: Path) -> None:
    path = write_kept(kept(), tmp_path)
    assert path is not None
    renamed = path.rename(tmp_path / f"Relu-forward.out-{'0' * 16}.json")
    with pytest.raises(CorpusError, match="has been changed: its name is of another case"):
        read_kept(renamed)
    assert read_kept(renamed.rename(tmp_path / "any-name.json")) == kept()


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00{")
    (tmp_path / "large.json").write_text(_text(), encoding="utf-8")
    (tmp_path / "README.md").write_text("no case", encoding="utf-8")
    monkeypatch.setattr(module, "LARGEST", 100)
    read = read_corpus(tmp_path)
    assert read.cases == () and [text.split("/")[-1].split()[0] for text in read.unusable] == [
        "bytes.json",
        "folder.json",
        "large.json",
        "pipe.json",
    ]
    assert "large.json is larger than" in read.unusable[2]
    with pytest.raises(CorpusError, match="is no file"):
        read_kept(tmp_path / "nowhere.json" / "x")


def test_a_corpus_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    cases = [kept(case(float(x))) for x in range(5)]
    for stored in cases:
        write_kept(stored, tmp_path)
    (tmp_path / "torn.json").write_text("{", encoding="utf-8")
    read = read_corpus(tmp_path)
    assert [c.digest for c in read.cases] == sorted(c.digest for c in cases) and len(read.unusable) == 1
    with pytest.raises(CorpusError, match="cannot read the corpus.* Take it out of the configuration until"):
        read_corpus(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds no stored case"):
        read_corpus(tmp_path / "empty")


def test_keeping_adds_each_case_once_or_none_at_all(tmp_path: Path) -> None:
    source, folder = tmp_path / "finds", tmp_path / "cases"
    paths = [path for x in (1.0, 2.0) if (path := write_kept(kept(case(x)), source))]
    copy = source / "copy.json"
    copy.write_bytes(paths[0].read_bytes())
    assert [new is not None for _, new in keep([*paths, copy, paths[0]], folder)] == [True, True, False]
    assert [new for _, new in keep(paths, folder)] == [None, None]
    torn = source / "torn.json"
    torn.write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match="torn.json"):
        keep([write_kept(kept(case(3.0)), source) or torn, torn], folder)
    assert len(list(folder.iterdir())) == 2
    (folder / "harmed.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match="harmed.json"):
        keep(paths, folder)


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    source = write_kept(kept(layer="a/b"), tmp_path / "finds")
    assert source is not None and write_kept(kept(layer="a:b"), tmp_path / "cases") is not None
    with pytest.raises(CorpusError, match="with the case of another layer"):
        keep([source], tmp_path / "cases")
    with pytest.raises(CorpusError, match="no folder"):
        keep([source], source)


def failing(**changes: Any) -> Counterexample:
    return counterexample(**{"id": changes["quantity"] + changes.get("branch", ""), "case": case(), **changes})


def test_finds_are_what_is_neither_known_nor_stored_nor_stood_for() -> None:
    small = case(0.0)
    lead = failing(quantity="backward.dx", minimised=small)
    other = failing(quantity="backward.dx", branch="any-rank")
    lone = failing(quantity="inputs.layout", case=case(2.0))
    twice = failing(quantity="backward.dw", minimised=small)
    listed = failing(quantity="forward.y")
    replayed = failing(quantity="forward.z")
    old = failing(quantity="forward.w", lane="corpus")
    rows = (result("forward.y", status="known", n_failed=1), result("forward.z", status="failed", n_failed=2, n_replay_failed=1))
    found = finds(run(*rows, counterexamples=(lead, other, lone, twice, listed, replayed, old)))
    assert [(k.rows, k.digest) for k in found] == [
        (("backward.dx", "backward.dw"), small.digest),
        (("inputs.layout",), case(2.0).digest),
    ]
    assert (found[0].found.seed, found[0].found.index, found[0].found.numpy) == (1, 2, "2")
    assert [k.rows for k in finds(run(*rows, counterexamples=(lead, lone)), found[:1])] == [("inputs.layout",)]


def test_files_that_hold_no_case_and_cases_of_other_layers_are_told() -> None:
    notes = strays(Corpus((kept(), kept(layer="Sigmoid")), ("a.json is torn.",)), ["Relu"])
    assert [(n.layer, n.title) for n in notes] == [("corpus", "not replayed"), ("Sigmoid", "not replayed")]
    assert "this gate judges no such layer" in notes[1].text


def replayed(path: Path, *cases: Kept, **changes: Any) -> Run:
    asked = Settings(**{"layers": ("Relu",), "examples": 240, "seed": 9, "dtypes": ("float64", "float32"), "workers": 1, **changes})
    campaign(Plan(own(("Relu",)), asked, environment(), "test", vetted=False, kept=cases), path, lambda layer, n: None)
    return read_run(path)


class WrongOnce(Relu):
    """Wrong for one number alone."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) + (x == 1.5)


@pytest.mark.parametrize("workers", [1, 2])
def test_stored_cases_count_in_the_rows_that_they_put_to_the_test(workers: int, tmp_path: Path) -> None:
    done = replayed(tmp_path / "r.jsonl", kept(), kept(case(2.5)), workers=workers)
    rows = {(r.branch, r.dtype, r.quantity): r for r in done.results}
    assert verdict(done).exit_code == 0 and done.header.corpus == (kept().digest, kept(case(2.5)).digest)
    plain = replayed(tmp_path / "plain.jsonl", workers=workers)
    before = {(r.branch, r.dtype, r.quantity): r for r in plain.results}
    assert {key for key, r in rows.items() if r.n_replayed} == {
        key for key in rows if key[:2] == ("matrix", "float64") and rows[key].n_judged != before[key].n_judged
    }
    assert rows["matrix", "float64", "forward.out"].n_replayed == 2
    assert rows["matrix", "float64", "state.fresh"].n_replayed == 0, "a fresh object is not put to that test"
    cases = [sum(d.n_cases for d in read.depths) for read in (done, plain)]
    assert cases == [242, 240]


def test_a_stored_case_that_fails_is_explained_apart_from_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.search.entrant.subject_of", lambda spec: subject_of(spec, WrongOnce))
    done = replayed(tmp_path / "r.jsonl", kept(case(2.5)), kept())
    (row,) = [r for r in done.results if r.n_failed]
    assert (row.quantity, row.n_failed, row.n_replay_failed, row.n_replayed) == ("forward.out", 1, 1, 2)
    assert row.worst_case is None, "a place in the corpus is no number of a case of the search"
    (told,) = done.counterexamples
    assert (told.lane, told.index, told.case.digest) == ("corpus", 1, kept().digest) and told.minimised and told.snippet
    assert told.id == f"Relu-matrix-float64-forward.out-{kept().digest}" and told.replay == f"gradconform replay {told.id}"
    assert verdict(done).exit_code == 1 and verdict(done).newly_found == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"branch": "nowhere"}, "the layer has no branch nowhere"),
        ({"layer": "Sigmoid"}, "it is a case of Sigmoid, and the layer is judged as Relu"),
        ({"dtype": "float128"}, "the layer does not claim float128"),
        ({"inputs": {}}, "it does not fit the layer: "),
        ({"cotangents": {}}, "torch raised"),
        ({"cotangents": {"out": stored_array(np.ones((3, 2)))}}, "torch raised"),
    ],
    ids=range(6),
)
def test_a_case_that_fits_no_layer_is_told_and_leaves_the_run_incomplete(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    misfit = case(**changes)
    done = replayed(tmp_path / "r.jsonl", kept(misfit), kept())
    (note,) = [n for n in done.notes if n.title == "not replayed"]
    assert misfit.digest in note.text and told in note.text
    assert verdict(done).exit_code == 3 and "1 stored case not replayed." in verdict(done).sentence
    assert max(r.n_replayed for r in done.results) == 1, "the other one is judged"


def test_of_several_shards_the_first_judges_the_stored_cases(tmp_path: Path) -> None:
    parts = [replayed(tmp_path / f"{k}.jsonl", kept(), shard=(k, 2)) for k in (1, 2)]
    assert [max(r.n_replayed for r in part.results) for part in parts] == [1, 0]
    assert {part.header.corpus for part in parts} == {(kept().digest,)}
