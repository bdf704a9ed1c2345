"""Whole runs: the same whatever the number of workers, and readable however they end."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oracle.core.compare import Comparison
from oracle.results import ResultsError, Run, Settings, read_run, verdict
from oracle.results.codec import add_results
from oracle.results.held import LOCK
from oracle.search import campaign as module
from oracle.search.campaign import campaign
from oracle.search.declaration import Plan
from oracle.search.entrant import Entrant, own
from oracle.search.environment import environment
from oracle.search.source import source_of
from oracle.search.tally import Tally
from oracle.subjects import subject_of
from oracle.subjects.target import Target, parse_target
from reference import Relu


def _nothing(layer: str, n: int) -> None:
    return None


def settings(**changes: Any) -> Settings:
    given = {"layers": ("Relu", "softmax"), "examples": 400, "seed": 9, "dtypes": ("float64", "float32"), "workers": 1}
    return Settings(**{**given, **changes})


def done(path: Path, progress: Callable[[str, int], None] = _nothing, **changes: Any) -> Run:
    asked = settings(**changes)
    campaign(Plan(own(asked.layers), asked, environment(), "test"), path, progress)
    return read_run(path)


class Wrong(Relu):
    """Twice the gradient."""

    def backward(self, dout: Any) -> Any:
        return super().backward(dout) * 2


def _dies(*call: Any) -> Tally:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def test_a_run_of_right_layers_conforms(tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    run = done(tmp_path / "r.jsonl", lambda layer, n: counted.update({layer: n}))
    said = verdict(run)
    assert (said.outcome, said.exit_code) == ("conforms", 0), said.sentence
    assert counted == {"Relu": 400, "softmax": 400}
    assert run.footer is not None and run.footer.outcome == "complete" and run.n_damaged == 0
    assert sum(d.n_cases for d in run.depths) == 800
    keys = {r.key for r in run.results}
    assert {(e.layer, e.branch, e.dtype, e.quantity) for e in run.header.expected} <= keys
    assert {path.name for path in tmp_path.glob(".*")} == {LOCK}, "no temporary file is left"


def test_the_number_of_workers_and_of_parts_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 128)
    one = done(tmp_path / "one.jsonl")
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.0)
    two = done(tmp_path / "two.jsonl", workers=2)
    assert len((tmp_path / "two.jsonl").read_text().splitlines()) > len((tmp_path / "one.jsonl").read_text().splitlines())
    assert {r.key: r for r in one.results} == {r.key: r for r in two.results}
    assert any(r.margin for r in one.results)
    by_group = [{(d.layer, d.branch, d.dtype): d for d in run.depths} for run in (one, two)]
    for group, depth in by_group[0].items():
        other = by_group[1][group]
        assert depth == other
    assert one.samples and one.samples == two.samples and one.worsts and one.worsts == two.worsts


def test_a_wrong_layer_is_found_with_its_counterexample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.search.entrant.subject_of", lambda spec: subject_of(spec, Wrong if spec.name == "Relu" else None))
    run = done(tmp_path / "r.jsonl")
    said = verdict(run)
    assert said.outcome == "diverges" and said.exit_code == 1
    failed = {(r.layer, r.branch, r.dtype, r.quantity) for r in said.failing}
    assert failed == {("Relu", b, d, "backward.dx") for b in ("matrix", "any-rank") for d in ("float64", "float32")}
    assert {(c.layer, c.branch, c.dtype, c.quantity) for c in run.counterexamples} == failed
    assert all(c.seed == 9 for c in run.counterexamples)
    lead, *others = sorted(run.counterexamples, key=lambda c: c.minimised is None)
    assert lead.minimised is not None and lead.snippet and lead.diagnosis == "backward.dx is twice what torch gives."
    assert not any(c.minimised for c in others), "of rows that fail alike one is made small"


def _run_that_dies_at(layer: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def run(pool: Any, job: Any, calls: list[tuple[Any, ...]]) -> Any:
        return real(pool, _dies if calls and calls[0][0].label == layer else job, calls)

    return run


def test_a_worker_that_is_killed_leaves_a_readable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_run", _run_that_dies_at("softmax", module._run))
    run = done(tmp_path / "r.jsonl", workers=2, examples=200)
    assert run.footer is not None and run.footer.outcome == "failed" and "worker" in run.footer.message
    assert {r.layer for r in run.results if r.n_judged} == {"Relu"} and run.n_damaged == 0
    said = verdict(run)
    assert said.outcome == "incomplete" and said.exit_code == 3 and "worker process died" in said.sentence


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_leaves_what_was_found(workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 64)

    def stop(layer: str, n: int) -> None:
        if layer == "softmax":
            raise KeyboardInterrupt

    run = done(tmp_path / "r.jsonl", stop, workers=workers, examples=192)
    assert run.footer is not None and run.footer.outcome == "interrupted" and run.n_damaged == 0
    cases = {layer: sum(d.n_cases for d in run.depths if d.layer == layer) for layer in ("Relu", "softmax")}
    assert cases["Relu"] == 192 and 64 <= cases["softmax"] < 192
    said = verdict(run)
    assert said.exit_code == 3 and "interrupted" in said.sentence


def test_too_few_examples_are_no_verdict(tmp_path: Path) -> None:
    run = done(tmp_path / "r.jsonl", examples=8)
    said = verdict(run)
    assert said.outcome == "incomplete" and said.exit_code == 3 and "never judged" in said.sentence and said.missing
    nothing = verdict(done(tmp_path / "n.jsonl", examples=0))
    assert nothing.outcome == "incomplete" and "Nothing was judged" in nothing.sentence


def test_a_folder_that_cannot_be_made_is_an_error_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot write"):
        done(tmp_path / "file" / "r.jsonl")


def test_shards_share_out_the_cases(tmp_path: Path) -> None:
    whole = done(tmp_path / "whole.jsonl")
    shards = [done(tmp_path / f"{k}.jsonl", shard=(k, 3)) for k in (1, 2, 3)]
    added: dict[Any, Any] = {}
    for shard in shards:
        for row in shard.results:
            added[row.key] = row if row.key not in added else add_results(added[row.key], row)
        assert 0 < sum(d.n_cases for d in shard.depths) < sum(d.n_cases for d in whole.depths)
    assert added == {r.key: r for r in whole.results}
    groups = {(s.layer, s.branch, s.dtype): set[int]() for shard in shards for s in shard.seen}
    for seen in (s for shard in shards for s in shard.seen):
        groups[(seen.layer, seen.branch, seen.dtype)] |= seen.digests()
    assert {group: len(digests) for group, digests in groups.items()} == {(d.layer, d.branch, d.dtype): d.n_distinct for d in whole.depths}
    assert not whole.seen


def test_the_worst_case_is_the_one_with_the_margin_of_its_row(tmp_path: Path) -> None:
    run = done(tmp_path / "r", layers=("Sigmoid",))
    rows = {r.key: r for r in run.results}
    assert {w.quantity for w in run.worsts} == {"forward.out", "backward.dx"}
    for worst in run.worsts:
        row = rows[(worst.layer, worst.branch, worst.dtype, worst.quantity)]
        assert row.worst_case == worst.index and row.margin == worst.comparison.margin
        assert row.margin == max(r.margin or 0 for r in run.results if r.quantity == worst.quantity)
        found = worst.comparison
        assert found.actual and found.expected and found.allowed
        off = abs(found.actual.values()[0] - found.expected.values()[0])
        assert off / found.allowed.values()[0] == pytest.approx(row.margin, rel=1e-6)


def test_samples_hold_both_answers_and_the_digest_of_their_case(tmp_path: Path) -> None:
    run = done(tmp_path / "r", layers=("Affine", "softmax"), examples=1500)
    groups = Counter((s.layer, s.branch, s.dtype) for s in run.samples)
    assert set(groups.values()) <= {1, 2} and len(groups) == len(run.depths)
    for sample in run.samples:
        assert sample.digest == sample.case.digest
        assert sample.actual.keys() == sample.expected.keys()
        assert ("backward.dx" in sample.actual) == (sample.layer == "Affine")


def test_the_code_that_was_judged_is_told_apart_by_its_digest(tmp_path: Path) -> None:
    relu, sigmoid, net = (source_of(entrant) for entrant in own(("Relu", "Sigmoid", "TwoLayerNet")))
    assert relu == sigmoid and len({relu, net, ""}) == 3, "two classes of one module; a net is built from more than its own"
    file = tmp_path / "layers.py"
    found = []
    for text in ("class Relu: pass\n", "class Relu: pass  # changed\n"):
        file.write_text(text)
        found.append(source_of(Entrant("a", "Relu", parse_target(f"{file}:Relu"))))
    assert len({*found, ""}) == 3
    by_module = Entrant("a", "Relu", Target("layers", "module", "layers", None), search_path=(str(tmp_path),))
    assert source_of(by_module) == found[1]
    file.unlink()
    assert source_of(by_module) == ""


def test_every_run_tries_its_judge_and_its_oracle(tmp_path: Path) -> None:
    run = done(tmp_path / "r.jsonl", workers=2)
    assert run.header.n_planted == len(run.planted) > 50 and all(p.convicted for p in run.planted)
    assert {p.layer for p in run.planted} == {"Relu", "softmax"}
    assert {(h.layer, h.quantity) for h in run.health} == {("Relu", "backward.dx")} and not any(h.n_wrong for h in run.health)


def test_a_judge_that_sees_nothing_is_not_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.core.judge.compare", lambda name, a, e, ball, measure=True: Comparison(name, True, 0.0, False, a.size, 0))
    said = verdict(done(tmp_path / "r.jsonl"))
    assert said.exit_code == 3 and "planted" in said.sentence


def test_planted_faults_belong_to_the_first_shard(tmp_path: Path) -> None:
    first, second = (done(tmp_path / f"{k}.jsonl", shard=(k, 2)) for k in (1, 2))
    assert first.header.n_planted == len(first.planted) > 50
    assert second.header.n_planted is None and not second.planted
