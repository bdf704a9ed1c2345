"""What is not claimed: every word for every spec, rows that are neither passed nor missing, inputs that are left out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from oracle.core.claims import ALIASES, VALUES, ClaimError, claimed, claims_of
from oracle.core.contracts import CONTRACTS
from oracle.core.draw import GeneratorSource, draw_case
from oracle.core.observe import Judged
from oracle.core.spec import LayerSpec
from oracle.results import Settings
from oracle.search.declaration import Plan, header, not_claimed
from oracle.search.entrant import Entrant
from oracle.search.environment import environment
from oracle.search.sweep import sweep
from oracle.search.tally import results
from oracle.specs import all_specs, spec_named
from oracle.subjects import subject_of

SPECS = tuple(all_specs())
DTYPES = ("float64", "float32")
Key = tuple[str, str, str]


def _declared(entrant: Entrant, dtypes: tuple[str, ...] = DTYPES) -> tuple[set[Key], set[Key]]:
    """The rows that a run declares for `entrant`, and those that it shows as not claimed."""
    settings = Settings(layers=(entrant.label,), examples=1, seed=0, dtypes=dtypes, workers=1)
    expected = {(e.branch, e.dtype, e.quantity) for e in header(Plan((entrant,), settings, environment(), "")).expected}
    rows = list(not_claimed(entrant, settings))
    assert all(r.status == "not-claimed" and not r.n_judged for r in rows)
    return expected, {(r.branch, r.dtype, r.quantity) for r in rows}


@pytest.mark.parametrize("name", SPECS)
def test_every_word_takes_its_rows_away_and_no_others(name: str) -> None:
    everything, nothing = _declared(Entrant(name, name))
    assert everything and not nothing
    for word, ids in ALIASES.items():
        expected, gone = _declared(Entrant(name, name, not_claimed=(word,)))
        assert expected | gone == everything and not expected & gone, word
        spared = {i for i in ids if i in CONTRACTS or i in spec_named(name).branches}
        if word not in ("dout", "cotangent"):
            assert gone == {row for row in everything if row[0] in spared or row[2] in spared}, word
        assert not {row for row in expected if row[0] in ids or row[2] in ids}, word


@pytest.mark.parametrize("name", ["AddLayer", "SoftmaxWithLoss"])
def test_what_is_not_claimed_is_never_counted(name: str) -> None:
    for word in ALIASES:
        entrant = Entrant(name, name, not_claimed=(word,))
        spec = entrant.judged_by()
        tally = sweep(spec, subject_of(spec), 0, DTYPES, 0, 128)
        counted = {(r.branch, r.dtype, r.quantity) for r in results(tally, spec)}
        assert counted and not counted & _declared(entrant)[1], word


@pytest.mark.parametrize("name", SPECS)
def test_every_id_of_a_spec_is_a_word_whatever_its_case(name: str) -> None:
    spec = spec_named(name)
    for word in (*spec.quantities, *CONTRACTS, *spec.dtypes, *VALUES):
        assert claims_of(spec, [word])[1:] == claims_of(spec, [word.upper()])[1:] != claims_of(spec, [])[1:], word
    for branch in spec.branches:
        assert claims_of(spec, [branch.replace("-", " ")]).branches == {branch}


def test_short_names_commas_and_repetitions() -> None:
    claims = claims_of(spec_named("Affine"), ["dw, out", "dW", " ", "float32,nan"])
    assert claims.rows == {"backward.dW", "forward.out"}
    assert (claims.dtypes, claims.values, claims.branches) == ({"float32"}, {"nan"}, frozenset())
    assert claims.words == ("dw", "out", "dW", "float32", "nan")


def test_a_word_without_meaning_names_what_there_is() -> None:
    with pytest.raises(ClaimError, match="not_claimed: 'brodcasting' means nothing for AddLayer. Did you mean broadcasting.*empty-batch"):
        claims_of(spec_named("AddLayer"), ["brodcasting"])
    with pytest.raises(ClaimError, match="'dW' means nothing for Relu"):
        claims_of(spec_named("Relu"), ["dW"])


@pytest.mark.parametrize(
    "words", [["matrix", "tensor"], ["float64", "float32", "float16"], ["out,dx,dW,db", *CONTRACTS]], ids=["branches", "dtypes", "rows"]
)
def test_nothing_left_to_judge_is_an_error(words: list[str]) -> None:
    with pytest.raises(ClaimError, match="leaves nothing of Affine to judge"):
        claimed(spec_named("Affine"), words)
    assert claimed(spec_named("Affine"), words[:1])


def test_cases_with_left_out_values_are_not_asked() -> None:
    spec = claimed(spec_named("Relu"), ["nan", "inf", "empty"])
    source = GeneratorSource(np.random.default_rng(1))
    cases = [draw_case(spec, source, "any-rank", "float64", i % 12) for i in range(1500)]
    told = {spec.claims.leave_out(case) for case in cases}
    assert told == {None, "not claimed: nan", "not claimed: inf", "not claimed: empty"}
    for case in cases:
        if spec.claims.leave_out(case) is None:
            arrays = [*case.arrays.values(), *(case.prior.arrays.values() if case.prior else ())]
            assert all(np.isfinite(a).all() and a.size for a in arrays)
    assert all(spec_named("Relu").claims.leave_out(case) is None for case in cases)


class _NoNan:
    """Relu that refuses NaN and empty arrays: right wherever it claims anything."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        if np.isnan(x).any() or not np.size(x):
            raise ValueError("no")
        self.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dout: np.ndarray) -> np.ndarray:
        if np.shape(dout) != np.shape(self.mask):
            raise ValueError("dout")
        return np.where(self.mask, dout, 0).astype(np.asarray(dout).dtype)


def _failing(spec: LayerSpec, subject: Judged, examples: int = 400) -> set[str]:
    return {name for _, _, name in sweep(spec, subject, 0, DTYPES, 0, examples).failures}


def test_a_layer_that_refuses_nan_conforms_where_it_claims_anything() -> None:
    spec = spec_named("Relu")
    assert "call.answers" in _failing(spec, subject_of(spec, _NoNan))
    spared = claimed(spec, ["nan", "empty"])
    tally = sweep(spared, subject_of(spared, _NoNan), 0, DTYPES, 0, 400)
    assert not tally.failures
    assert tally.discards["not claimed: nan"] and tally.discards["not claimed: empty"]


class _IgnoresDout:
    """SoftmaxWithLoss as the textbooks have it: the gradient of the mean loss, whatever dout is."""

    def __init__(self) -> None:
        self.inner = spec_named("SoftmaxWithLoss").layer()

    def forward(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        loss: np.ndarray = self.inner.forward(x, t)
        self.one = np.ones_like(loss)
        return loss

    def backward(self, dout: object) -> np.ndarray:
        grad: np.ndarray = self.inner.backward(self.one[()])
        return grad


def test_a_loss_that_ignores_dout_conforms_where_it_does_not_claim_it() -> None:
    spec = spec_named("SoftmaxWithLoss")
    assert "cotangent.honoured" in _failing(spec, subject_of(spec, _IgnoresDout))
    spared = claimed(spec, ["dout", "errors"])
    assert not _failing(spared, subject_of(spared, _IgnoresDout))
    expected, gone = _declared(Entrant("loss", "SoftmaxWithLoss", not_claimed=("dout",)))
    assert "cotangent.honoured" not in {row[2] for row in expected}
    assert {row[2] for row in gone} >= {"cotangent.honoured"}


def test_what_has_no_backward_is_asked_for_no_gradients() -> None:
    spec = claimed(spec_named("Affine"), (), forward_only=True)
    assert spec.quantities == ("forward.out",) and spec.wrt == ()
    expected, gone = _declared(Entrant("f", "Affine", forward_only="f has no backward"))
    assert {row[2] for row in gone} >= {"backward.dx", "backward.dW", "backward.db", "cotangent.honoured", "backward.repeatable"}
    assert not expected & gone and expected | gone == _declared(Entrant("f", "Affine"))[0]


def test_the_documented_words_are_those_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    table = page.split("| word | what is not promised |")[1].split("\n\n")[0]
    words = {word for line in table.splitlines()[2:] for word in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert words == {*ALIASES, *VALUES}
