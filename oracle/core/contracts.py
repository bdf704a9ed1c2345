"""Behaviour that must hold besides values. Ids are stable; a version is raised when the meaning of its check changes."""

from __future__ import annotations

from typing import NamedTuple

from oracle.core.case import Case
from oracle.core.spec import LayerSpec


class Contract(NamedTuple):
    """A contract's id, the version of its check, and what it asks, in one line."""

    id: str
    version: int
    explanation: str


CONTRACTS = {
    contract.id: contract
    for contract in (
        Contract("call.answers", 1, "Where torch answers, the layer answers too and raises nothing."),
        Contract("call.no-warnings", 1, "No warning is emitted where every result of torch is finite."),
        Contract("call.forward-first", 1, "backward before forward raises an exception, and leaves the layer usable."),
        Contract("inputs.unchanged", 1, "forward and backward leave the bytes of every input as they were."),
        Contract("inputs.layout", 1, "Fortran order, strides, negative or zero strides and read-only memory make no difference."),
        Contract("inputs.refused", 1, "Bad input on which torch raises is refused with an exception, not answered."),
        Contract("params.unchanged", 1, "forward and backward leave the bytes of every parameter as they were."),
        Contract("cotangent.honoured", 1, "backward answers dout: another dout gives another gradient."),
        Contract("cotangent.unchanged", 1, "backward leaves the bytes of dout as they were."),
        Contract("results.shape", 1, "Every result has the shape that torch gives it."),
        Contract("results.dtype", 1, "Every result has the dtype that torch gives it."),
        Contract(
            "results.own-memory", 1, "No result shares memory with an input, a parameter, dout or another result, and none changes later."
        ),
        Contract("backward.repeatable", 1, "backward called twice gives the same gradients twice."),
        Contract("state.fresh", 1, "A layer used before, with other data or another shape, answers as a new one does."),
        Contract("labels.forms-agree", 1, "Index labels and the same labels as one-hot give the same loss and gradient."),
    )
}

SUBJECT_LOADS = Contract("subject.loads", 1, "The subject's code can be loaded, and the layer in it found and called.")
"""Asked once of each subject that comes from elsewhere, before any case."""

_ALWAYS = ("call.answers", "call.no-warnings", "inputs.unchanged", "results.shape", "results.dtype", "results.own-memory")
_OF_PROTOCOL = {
    "backward-twice": "backward.repeatable",
    "backward-first": "call.forward-first",
    "reused": "state.fresh",
    "reshaped": "state.fresh",
    "other-form": "labels.forms-agree",
}


class Handling(NamedTuple):
    """How a case is handed over: what decides which contracts it puts to the test."""

    branch: str
    dtype: str
    protocol: str
    plain_layout: bool
    refused: bool


def handling(case: Case) -> Handling:
    """The handling of `case`."""
    return Handling(case.branch, case.dtype, case.protocol, case.layout == "C", case.refusal is not None)


def tested(spec: LayerSpec, how: Handling) -> tuple[str, ...]:
    """The contracts that a case handed over like this puts to the test."""
    if how.refused:
        return ("inputs.refused",)
    ids = list(_ALWAYS)
    if spec.params:
        ids.append("params.unchanged")
    if spec.wrt:
        ids += ["cotangent.honoured", "cotangent.unchanged"]
    if how.protocol in _OF_PROTOCOL:
        ids.append(_OF_PROTOCOL[how.protocol])
    if not how.plain_layout:
        ids.append("inputs.layout")
    return tuple(id for id in ids if id not in spec.vacuous and id not in spec.claims.rows)


def of_protocol(protocol: str) -> str | None:
    """The contract that a protocol puts to the test."""
    return _OF_PROTOCOL.get(protocol)


def declared(spec: LayerSpec, branch: str) -> tuple[str, ...]:
    """Every contract that a run of `branch` must have put to the test."""
    ids: dict[str, None] = {}
    for protocol in spec.protocols_of(branch):
        for plain_layout in (True, False):
            ids.update(dict.fromkeys(tested(spec, Handling(branch, "", protocol, plain_layout, False))))
    if any(not r.branches or branch in r.branches for r in spec.refusals):
        ids["inputs.refused"] = None
    return tuple(id for id in ids if id not in spec.claims.rows)
