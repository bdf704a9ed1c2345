"""The judge is judged: it must convict every planted fault on its own row, blame nothing else, and leave right layers alone."""

from __future__ import annotations

import functools

import pytest

from oracle.core.contracts import CONTRACTS
from tests.mutants.hunt import CASES, Hunt, hunt
from tests.mutants.registry import Planted, Right, planted_faults, right_layers

MOST_INCONCLUSIVE = 0.01
"""The share of cases of a right layer that may stay without a verdict."""


@functools.cache
def _hunted(mutant: Planted) -> Hunt:
    return hunt(mutant.spec, mutant.layer, mutant.on)


PLANTED = [pytest.param(m, id=f"{m.spec}-{m.name}") for m in planted_faults()]


@pytest.mark.parametrize("mutant", PLANTED)
def test_a_planted_fault_is_convicted_on_its_row(mutant: Planted) -> None:
    found = _hunted(mutant)
    missing = [row for row in mutant.on if row not in found.first]
    assert not missing, f"{mutant.fault}: not convicted on {missing} within {found.n_cases} cases, only on {found.messages}"


@pytest.mark.parametrize("mutant", PLANTED)
def test_no_contract_is_blamed_that_the_fault_keeps(mutant: Planted) -> None:
    found = _hunted(mutant)
    blamed = {row: found.messages[row] for row in found.first if row in CONTRACTS and row not in (*mutant.on, *mutant.also)}
    assert not blamed, f"{mutant.fault}: also blamed for {blamed}"


@pytest.mark.parametrize("layer", [pytest.param(r, id=f"{r.spec}-{r.name}") for r in right_layers()])
def test_a_right_layer_is_left_alone(layer: Right) -> None:
    found = hunt(layer.spec, layer.layer)
    assert not found.first, f"{layer.style}: convicted on {found.messages}"
    assert found.margin <= 1
    assert found.n_inconclusive <= MOST_INCONCLUSIVE * CASES


def test_there_are_enough_of_them() -> None:
    names = [m.name for m in (*planted_faults(), *right_layers())]
    assert len(names) == len(set(names)), "two mutants have one name"
    assert len(planted_faults()) >= 60
    assert len(right_layers()) >= 20


def test_every_spec_has_faults_and_right_layers() -> None:
    from oracle.specs import all_specs

    assert {m.spec for m in planted_faults()} == set(all_specs())
    assert {r.spec for r in right_layers()} == set(all_specs())


def test_every_row_that_is_named_exists() -> None:
    from oracle.specs import spec_named

    for m in planted_faults():
        known = {*spec_named(m.spec).quantities, *CONTRACTS}
        assert {*m.on, *m.also} <= known, f"{m.name} names { ({*m.on, *m.also} - known) }"
