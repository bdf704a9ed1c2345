"""What a layer keeps from one call to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import LAYOUTS, Array, Case
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, asked, with_input


def stale(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A used layer answers as the case before would, in whole or in part, or adds to what was there."""
    name, spec = evidence.quantity, evidence.bench.spec
    if evidence.bench.row[0] != "state.fresh" or name is None:
        return

    def guess(cause: str, sentence: str, change: Callable[[Case, Case], Case | None]) -> Guess:
        return Guess(cause, sentence, lambda t: None if t.case.prior is None else asked(spec, name, change(t.case, t.case.prior)))

    yield guess("stale-all", f"{name} of a used layer is that of the case before: it keeps its first answer.", lambda c, p: p)
    for x in evidence.failing[0].case.inputs:
        yield guess(
            f"stale-{x}",
            f"{name} of a used layer is formed with the {x} of the case before: it is kept, not renewed.",
            lambda c, p, n=x: _from_prior(c, p, n),  # type: ignore[misc]
        )
    yield guess(
        "stale-inputs",
        f"{name} of a used layer is formed with the inputs of the case before: what forward kept is not renewed.",
        lambda c, p: c._replace(inputs=p.inputs),
    )
    yield guess(
        "stale-dout",
        f"{name} of a used layer is formed with the dout of the case before.",
        lambda c, p: c._replace(cotangents=p.cotangents),
    )

    def both(t: Trial) -> Array | None:
        before = asked(spec, name, t.case.prior)
        return None if before is None or before.shape != t.expected[name].shape else before + t.expected[name]

    yield Guess(
        "accumulates",
        f"{name} of a used layer is the sum of the case before and this one: gradients are added up over calls, never reset.",
        both,
    )

    def mean(t: Trial) -> Array | None:
        total = both(t)
        return None if total is None else total / 2

    yield Guess("averages-over-calls", f"{name} of a used layer is the mean of the case before and this one.", mean)
    for x in [n for n, a in evidence.failing[0].case.inputs.items() if a.dtype.kind == "f"]:
        yield guess(
            f"adds-{x}",
            f"{name} of a used layer is formed with the sum of {x} and that of the case before.",
            lambda c, p, n=x: _summed(c, p, n),  # type: ignore[misc]
        )


def _from_prior(case: Case, prior: Case, name: str) -> Case | None:
    a = prior.inputs[name]
    return with_input(case, name, a) if a.shape == case.inputs[name].shape else None


def _summed(case: Case, prior: Case, name: str) -> Case | None:
    a = prior.inputs[name]
    return with_input(case, name, a + case.inputs[name]) if a.shape == case.inputs[name].shape else None


def repeated(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """What the second backward gives where it is not what the first one gave."""
    name, spec = evidence.quantity, evidence.bench.spec
    if evidence.bench.row[0] != "backward.repeatable" or name is None:
        return
    second = f"{name} of the second backward"
    yield Guess(
        "accumulates", f"{second} is twice the first one: gradients are added up over calls, never reset.", lambda t: 2 * t.expected[name]
    )
    yield Guess("second-is-zero", f"{second} is 0: the first one used up what forward had kept.", lambda t: np.zeros_like(t.expected[name]))
    yield Guess("second-has-other-sign", f"{second} is the first one with the opposite sign.", lambda t: -t.expected[name])
    for x in ("x", "y", "W"):
        yield Guess(
            f"second-without-{x}",
            f"{second} is formed with {x} = 0: the first one cleared it.",
            lambda t, n=x: _cleared(evidence, t, name, n),  # type: ignore[misc]
        )
    if spec.name == "Sigmoid":
        yield Guess(
            "second-multiplies-again",
            f"{second} has the slope of sigmoid twice: the first one changed what forward had kept.",
            lambda t: t.expected[name] * t.expected["forward.out"] * (1 - t.expected["forward.out"]),
        )


def _cleared(evidence: Evidence, trial: Trial, name: str, array: str) -> Array | None:
    a = {**trial.case.inputs, **trial.case.params}.get(array)
    return None if a is None else asked(evidence.bench.spec, name, with_input(trial.case, array, np.zeros_like(a)))


def memory_order(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Torch's answer to arrays read as their bytes lie in memory, one array at a time or all of them."""
    name, spec = evidence.quantity, evidence.bench.spec
    if evidence.bench.row[0] != "inputs.layout" or name is None:
        return
    arrays = evidence.failing[0].case.arrays
    for group in (*[(n,) for n in arrays], tuple(arrays)):
        which = group[0] if len(group) == 1 else "every array"
        text = "dout" if len(group) == 1 and group[0] not in {**evidence.first.case.inputs, **evidence.first.case.params} else which
        for cause, words, read in (
            ("memory-order", "in the order of memory", _as_it_lies),
            ("buffer", "from the buffer beneath it, strides ignored", _buffer),
        ):
            yield Guess(
                f"{cause}-{text.replace(' ', '-')}",
                f"{name} is what torch gives for {text} read {words}: Fortran order and strides are not respected.",
                lambda t, g=group, r=read: asked(spec, name, _misread(t.case, g, r)),  # type: ignore[misc]
            )
    for cause, words, move in (
        ("result-in-memory-order", "in the order of memory of an array laid out like the input", lambda e, lay: _as_it_lies(lay(e))),
        ("result-order-reversed", "put back in that order", lambda e, lay: e.ravel().reshape(e.T.shape).T),
    ):
        yield Guess(cause, f"{name} holds torch's numbers {words}.", lambda t, m=move: m(t.expected[name], LAYOUTS[t.case.layout]))  # type: ignore[misc]


def _misread(case: Case, names: tuple[str, ...], read: Callable[[Array], Array]) -> Case:
    lay = LAYOUTS[case.layout]

    def of(arrays: dict[str, Array], prefix: str = "") -> dict[str, Array]:
        return {n: read(lay(a)) if prefix + n in names else a for n, a in arrays.items()}

    return case._replace(inputs=of(case.inputs), params=of(case.params), cotangents=of(case.cotangents, "d"), layout="C", protocol="plain")


def _as_it_lies(a: Array) -> Array:
    return np.ascontiguousarray(a.ravel(order="K").reshape(a.shape))


def _buffer(a: Array) -> Array:
    """The first elements of the memory that `a` is a view of."""
    base = a if a.base is None else a.base
    flat = np.asarray(base).ravel(order="K")
    return np.resize(flat, a.shape) if flat.size >= a.size else a


def forgets_order(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """backward before forward is answered."""
    if evidence.bench.row[0] == "call.forward-first" and evidence.first.finding is not None:
        message = evidence.first.finding.message
        if "answer" in message:
            yield Diagnosis(
                "no-order", "backward before forward answers where it should raise: what forward keeps has a value from the start."
            )
        else:
            yield Diagnosis(
                "order-damage", "backward before forward raises, but leaves the layer in a state in which it answers wrongly afterwards."
            )
