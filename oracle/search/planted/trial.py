"""Planted faults judged on the cases of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oracle.core import torch_side
from oracle.core.case import Case
from oracle.core.evaluation import Evaluation
from oracle.core.judge import decide
from oracle.core.observe import observe, watching
from oracle.core.spec import LayerSpec
from oracle.results.model import Planted
from oracle.search.numbered import cases
from oracle.search.planted.registry import Fault
from oracle.search.planted.right import Right, told, told_spec

LIMIT = 2000
"""The most cases that a planted fault is tried on."""


class _Suspect(NamedTuple):
    fault: Fault
    layer: Right


def tried(spec: LayerSpec, faults: Sequence[Fault], label: str, seed: int, dtypes: Sequence[str], examples: int) -> Iterator[Planted]:
    """One record for each fault: its convictions, or the number of cases that it survived. The faults go through the cases together."""
    asked = told_spec(spec)
    right = Right(asked)
    suspects = [_Suspect(fault, fault.make(asked)) for fault in faults]
    n_cases = 0
    with watching():
        for _, drawn in cases(spec, seed, dtypes, 0, min(examples, LIMIT)):
            if not suspects:
                return
            if spec.claims.leave_out(drawn) is not None:
                continue
            n_cases += 1
            case, expected = told(drawn), torch_side.evaluate(spec, drawn)
            innocent: set[str] | None = None
            left = []
            for suspect in suspects:
                failed = _failed(asked, suspect.layer, case, expected)
                if failed:
                    # what the unspoiled layer fails as well says nothing about the fault
                    innocent = _failed(asked, right, case, expected) if innocent is None else innocent
                    failed -= innocent
                if failed & set(suspect.fault.on):
                    yield _record(suspect, label, n_cases, sorted(f"{case.branch} {case.dtype} {name}" for name in failed))
                else:
                    left.append(suspect)
            suspects = left
    for suspect in suspects:
        yield _record(suspect, label, n_cases, ())


def _failed(spec: LayerSpec, layer: Right, case: Case, expected: Evaluation) -> set[str]:
    """The rows that `layer` fails on `case`, of those that are claimed."""
    found = decide(spec, layer, case, expected, observe(layer, case), measure=False).findings
    return {f.name for f in found if f.name not in spec.claims.rows}


def _record(suspect: _Suspect, label: str, n_cases: int, rows: Sequence[str]) -> Planted:
    fault = suspect.fault
    text = fault.text if suspect.layer.reached else f"{fault.text}; no case of this run has touched that"
    return Planted(layer=label, family=fault.family, name=fault.name, fault=text, n_cases=n_cases, rows=tuple(rows))
