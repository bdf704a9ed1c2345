"""Which contracts a case puts to the test, and which rows a run must therefore have."""

from __future__ import annotations

import dataclasses

import pytest

from oracle.core import contracts
from oracle.core.contracts import CONTRACTS, declared, handling, of_protocol
from oracle.core.spec import LayerSpec
from oracle.specs import all_specs, spec_named
from tests.core.handing import AFFINE, affine_case

SPECS = [pytest.param(spec, id=name) for name, spec in all_specs().items()]


def test_ids_explain_themselves() -> None:
    for id, contract in CONTRACTS.items():
        assert contract.id == id and id.count(".") == 1 and contract.version >= 1
        assert contract.explanation.endswith(".") and "\n" not in contract.explanation


def test_a_plain_case_tests_what_always_holds() -> None:
    plain = set(contracts.tested(AFFINE, handling(affine_case())))
    assert plain == {
        "call.answers", "call.no-warnings", "inputs.unchanged", "results.shape", "results.dtype", "results.own-memory",
        "params.unchanged", "cotangent.honoured", "cotangent.unchanged",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "contract"),
    [
        ({"protocol": "backward-twice"}, "backward.repeatable"),
        ({"protocol": "backward-first"}, "call.forward-first"),
        ({"protocol": "reused"}, "state.fresh"),
        ({"protocol": "reshaped"}, "state.fresh"),
        ({"protocol": "other-form"}, "labels.forms-agree"),
        ({"layout": "fortran"}, "inputs.layout"),
    ],
    ids=str,
)
def test_an_unusual_handling_tests_one_contract_more(change: dict[str, str], contract: str) -> None:
    plain, more = (set(contracts.tested(AFFINE, handling(affine_case(**c)))) for c in ({}, change))
    assert more - plain == {contract} and plain < more


def test_a_refused_case_tests_nothing_but_that() -> None:
    assert contracts.tested(AFFINE, handling(affine_case(refusal="x", protocol="reused", layout="fortran"))) == ("inputs.refused",)


def test_what_cannot_be_broken_is_not_counted_as_kept() -> None:
    spec = dataclasses.replace(AFFINE, vacuous=("cotangent.unchanged",))
    assert "cotangent.unchanged" not in contracts.tested(spec, handling(affine_case()))
    bare = spec_named("softmax")
    assert not {"params.unchanged", "cotangent.unchanged", "backward.repeatable"} & set(declared(bare, "matrix"))


@pytest.mark.parametrize("spec", SPECS)
def test_every_declared_contract_exists_and_can_be_tested(spec: LayerSpec) -> None:
    for branch in spec.branches:
        rows = declared(spec, branch)
        assert len(rows) == len(set(rows)) and set(rows) <= set(CONTRACTS)
        wanted = {of_protocol(p) for p in spec.protocols_of(branch)} - {None} - set(spec.vacuous)
        assert wanted <= set(rows)
        assert ("inputs.refused" in rows) == any(not r.branches or branch in r.branches for r in spec.refusals)
        assert "inputs.layout" in rows and "call.answers" in rows


def test_every_contract_is_declared_by_some_layer() -> None:
    assert {c for s in all_specs().values() for b in s.branches for c in declared(s, b)} == set(CONTRACTS)
