"""Recording: what is written comes back bit by bit, and torch is asked again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oracle.cli import main
from oracle.core import torch_side
from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.expected import NotRecorded
from oracle.core.spec import LayerSpec
from oracle.specs import spec_named
from oracle.vectors import choosing
from oracle.vectors.choosing import chosen, companions, features, is_telling
from oracle.vectors.judging import Answers
from oracle.vectors.reading import read_manifest, read_vectors
from oracle.vectors.recording import allowed, checked, record, recorded

NAMES = ("Affine", "SoftmaxWithLoss")
POOL = 200
"""Cases to choose from: enough to have some of everything, and drawn in a moment."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "POOL", POOL)
        record(path, [spec_named(name) for name in NAMES], 12, 3, lambda name: None)
    return path


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_everything_comes_back_to_the_bit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "POOL", POOL)
    for layer in read_manifest(folder).layers:
        spec = spec_named(layer.layer)
        wanted = list(recorded(spec, 12, 3))
        found = list(read_vectors(folder, layer))
        assert len(wanted) == len(found) > 12
        for a, b in zip(wanted, found, strict=True):
            assert a.case._replace(inputs={}, params={}, cotangents={}, prior=None) == b.case._replace(
                inputs={}, params={}, cotangents={}, prior=None
            )
            pairs = [(a.case, b.case)] + ([(a.case.prior, b.case.prior)] if a.case.prior else [])
            for left, right in pairs:
                assert list(left.arrays) == list(right.arrays)
                assert all(same(left.arrays[name], right.arrays[name]) for name in left.arrays)
            assert a.expected.error == b.expected.error
            for x, y in zip(a.expected.outputs + a.expected.grads, b.expected.outputs + b.expected.grads, strict=True):
                assert same(x, y)
            assert all(same(np.array(a.allowed[q], order="C"), b.allowed[q]) for q in a.allowed)


def test_torch_still_answers_as_it_did(folder: Path) -> None:
    found = checked(folder, {name: spec_named(name) for name in NAMES}, lambda name: None)
    assert found.equal == read_manifest(folder).n_cases and not found.within and not found.different


@pytest.mark.parametrize(("factor", "exit_code"), [(1 + 1e-3, 1), (1.0, 0)])
def test_another_answer_of_torch_is_told(folder: Path, factor: float, exit_code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch_side.evaluate

    def moved(spec: LayerSpec, case: Case) -> Evaluation:
        found = real(spec, case)
        return found._replace(grads=tuple(g * g.dtype.type(factor) for g in found.grads))

    monkeypatch.setattr(torch_side, "evaluate", moved)
    done = CliRunner().invoke(main, ["record", "Affine", "--check", "--out", str(folder)])
    assert done.exit_code == exit_code, done.output
    assert ("Affine case" in done.output) == (exit_code == 1)


def test_the_allowed_error_is_never_rounded_down() -> None:
    spec = spec_named("Affine")
    for case in chosen(spec, "matrix", "float64", 12, 1):
        if case.refusal is None:
            found = allowed(spec, case, torch_side.evaluate(spec, case))
            from oracle.core.ball import PRECISIONS
            from oracle.core.compare import allowed_error

            with np.errstate(all="ignore"):
                balls = spec.bounds(PRECISIONS["float64"], case)
            for name, a in found.items():
                assert a.dtype == np.float32 and (a >= allowed_error(balls[name])).all()


def test_the_chosen_cases_bring_more_than_the_first_ones() -> None:
    spec = spec_named("SoftmaxWithLoss")
    best = chosen(spec, "index", "float32", 24, 5)
    brought = set().union(*map(features, best))
    plain = set().union(*map(features, chosen(spec, "index", "float32", 2048, 5)[-24:]))
    assert len(brought) > 1.3 * len(plain)
    assert {case.protocol for case in best} == set(spec.protocols_of("index"))


def test_recorded_answers_are_found_however_a_case_is_handed_over(folder: Path) -> None:
    layer = read_manifest(folder).layers[0]
    spec, vectors = spec_named(layer.layer), list(read_vectors(folder, layer))
    answers = Answers(vectors)
    vector = next(v for v in vectors if is_telling(v.case))
    for variant in (vector.case._replace(layout="C"), vector.case._replace(protocol="plain", prior=None)):
        assert answers(spec, variant) is vector.expected
    for other in companions(spec, next(v.case for v in vectors if is_telling(v.case) and not v.told.companion)):
        assert answers(spec, other).error is None
    with pytest.raises(NotRecorded):
        answers(spec, vector.case._replace(inputs={name: a + 1 for name, a in vector.case.inputs.items()}))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(main, ["record", "Relu", "--out", str(tmp_path / "file" / "x"), "--per-branch", "1"])
    assert done.exit_code == 2 and "--out" in done.output
    assert CliRunner().invoke(main, ["record", "Relu"]).exit_code == 2
