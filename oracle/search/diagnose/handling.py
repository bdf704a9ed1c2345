"""Contracts about memory, shapes, dtypes, refusals and forms: what exactly is done to the arrays, and by which call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Case
from oracle.core.compare import allowed_error
from oracle.core.observe import observe
from oracle.search.diagnose.evidence import Evidence, Trial, agrees
from oracle.search.diagnose.guess import Diagnosis, Guess, asked, with_cotangents, with_input


def written(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Which call writes into which array, and whether only where x is negative."""
    row, bench, case = evidence.bench.row[0], evidence.bench, evidence.first.case
    if row not in ("inputs.unchanged", "cotangent.unchanged", "params.unchanged") or evidence.first.finding is None:
        return
    array = "dout" if row == "cotangent.unchanged" else re.sub(r".* into ", "", evidence.first.finding.message)
    call = "backward"
    if row != "cotangent.unchanged":
        # without cotangents backward is not called at all
        alone = observe(bench.subject, case._replace(cotangents={}, protocol="plain", prior=None))
        if any(b.contract == row for b in alone.breaches):
            call = "forward"
    where = ""
    if "x" in case.inputs and _vanishes(evidence, lambda a: np.abs(a) + 1):
        where = " where x is not positive"
    yield Diagnosis(f"writes-{array}", f"{call} writes into {array}{where}, the caller's own array: it has to work on a copy.")


def _vanishes(evidence: Evidence, change: Callable[[Array], Array]) -> bool:
    """Whether the row holds on all of three calm cases once x is changed like this, and fails on all of them before."""
    for _ in range(3):
        case = evidence.bench.calm()
        changed = with_input(case, "x", change(case.inputs["x"]).astype(case.dtype))
        if not evidence.bench.fails(case) or evidence.bench.fails(changed) is not False:
            return False
    return True


def shared(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Which result is a view of which array."""
    if evidence.bench.row[0] != "results.own-memory" or evidence.first.finding is None:
        return
    found = re.fullmatch(r"result (\d+) shares memory with (.+)", evidence.first.finding.message)
    names = evidence.bench.spec.quantities
    if found is None:
        yield Diagnosis(
            "reused-buffer", "A result changes after it has been returned: the layer writes its next answer into the same array."
        )
        return
    result, other = names[int(found[1])], found[2]
    again = re.fullmatch(r"result (\d+)", other)
    whose = names[int(again[1])] if again else "dout" if other == evidence.bench.spec.outputs[0] else other
    yield Diagnosis(f"view-of-{whose}", f"{result} is {whose} itself or a view of it, so whoever changes one changes both: return a copy.")


def form(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """How a shape differs from torch's, wherever the row fails."""
    if evidence.bench.row[1] != "shape":
        return
    name = _misshapen(evidence.first)
    if name is None:
        return
    trials = [t for t in [evidence.first, *evidence.failing] if name in t.actual and t.actual[name].shape != t.expected[name].shape]
    shapes = [(t.actual[name].shape, t.expected[name].shape) for t in trials]
    operand = name.partition(".d")[2]
    ways: tuple[tuple[str, str, Callable[[tuple[int, ...], tuple[int, ...]], bool]], ...] = (
        (
            "not-summed-back",
            f"not summed back to the shape of {operand}, which broadcasting stretched",
            lambda a, e: len(a) >= len(e) and a == _stretched_shape(trials, a),
        ),
        ("flattened", "left flat, not given its shape back", lambda a, e: a == (int(np.prod(e)),)),
        ("flattened-rows", "left as rows, not given the shape of x back", lambda a, e: len(e) > 2 and a == (e[0], int(np.prod(e[1:])))),
        ("keepdims", "given an axis of size 1 too many", lambda a, e: len(a) == len(e) + 1 and _without_ones(a) == _without_ones(e)),
        ("axis-of-size-1-lost", "stripped of axes of size 1", lambda a, e: len(a) < len(e) and _without_ones(a) == _without_ones(e)),
        ("ones-moved", "of another rank: axes of size 1 are added", lambda a, e: len(a) > len(e) and _without_ones(a) == _without_ones(e)),
        ("one-for-each-row", "one number for each row: the mean over the batch is missing", lambda a, e: e == () and len(a) == 1),
        ("summed-away", "summed to one number", lambda a, e: a == () and e != ()),
    )
    for cause, words, test in ways:
        if trials and all(test(a, e) for a, e in shapes):
            yield Diagnosis(cause, f"{name} is {words}: shape {shapes[0][0]} where torch's is {shapes[0][1]}.")
            return


def _misshapen(trial: Trial) -> str | None:
    return next((n for n, a in trial.actual.items() if n in trial.expected and a.shape != trial.expected[n].shape), None)


def _stretched_shape(trials: list[Trial], shape: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`, if it is the full shape of the result of the trial that has it."""
    full = {t.expected["forward.out"].shape for t in trials if "forward.out" in t.expected}
    return shape if shape in full else ()


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def promoted(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Which dtype comes back for which."""
    if evidence.bench.row[0] != "results.dtype":
        return
    kinds = set()
    for t in [evidence.first, *evidence.failing]:
        for name, a in t.actual.items():
            if a.dtype != t.expected[name].dtype:
                kinds.add((name, str(a.dtype), str(t.expected[name].dtype)))
    dtypes = {(a, e) for _, a, e in kinds}
    if len(dtypes) == 1:
        ((actual, expected),) = dtypes
        names = " and ".join(sorted({n for n, _, _ in kinds}))
        always = not evidence.passing and evidence.calm
        rest = "" if not always else f", whatever the values: it is {'promoted' if _wider(actual, expected) else 'cast'} on the way"
        verb = "is" if len({n for n, _, _ in kinds}) == 1 else "are"
        yield Diagnosis(f"dtype-{actual}", f"{names} {verb} {actual} where the arrays and torch's answer are {expected}{rest}.")


def _wider(a: str, b: str) -> bool:
    return np.dtype(a).itemsize > np.dtype(b).itemsize


def refused(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """What a bad input is taken for: torch's answer on the good input that gives the same results."""
    if evidence.bench.row[0] != "inputs.refused" or not evidence.failing[0].actual:
        return
    found = []
    for cause, sentence, change in (
        (
            "label-wraps",
            "A label out of range is not refused but wraps around: it counts as t modulo C.",
            lambda c, n: _label(c, lambda t: np.where(t == -100, t, t % n)),
        ),
        (
            "label-clipped",
            "A label out of range is not refused but clipped to the nearest class.",
            lambda c, n: _label(c, lambda t: np.where(t == -100, t, np.clip(t, 0, n - 1))),
        ),
        (
            "label-ignored",
            "A label out of range is not refused but ignored, as -100 is.",
            lambda c, n: _label(c, lambda t: np.where((t < 0) | (t >= n), -100, t)),
        ),
        (
            "labels-cut",
            "Float index labels are not refused but cut to whole numbers.",
            lambda c, n: _label(c, lambda t: t.astype(np.int64)),
        ),
        (
            "extra-labels-dropped",
            "Label rows beyond those of x are not refused but left out.",
            lambda c, n: _label(c, lambda t: t[: _rows(c)]),
        ),
        (
            "dout-axis-dropped",
            "dout with an axis too many is not refused but answered as if that axis were not there.",
            lambda c, n: with_cotangents(c, lambda d: d[..., 0]),
        ),
    ):
        if all(_same_answer(evidence, trial, change) for trial in evidence.failing):
            found.append(Diagnosis(cause, sentence))
    # two that explain it equally leave it open
    yield from found if len(found) == 1 else ()
    if found:
        return
    ids = {trial.case.refusal for trial in [evidence.first, *evidence.failing]}
    if ids == {"cotangent-of-another-shape"} and all(trial.actual for trial in evidence.failing):
        shapes = [(n, a.shape, trial) for trial in evidence.failing for n, a in trial.actual.items() if n.startswith("backward.")]
        name, shape, trial = shapes[0]
        d = next(iter(trial.case.cotangents.values())).shape
        yield Diagnosis(
            "dout-broadcast",
            f"dout of another shape than the result is not refused but broadcast: {name} has shape {shape} for dout of shape {d}.",
        )


def _label(case: Case, change: Callable[[Array], Array]) -> Case | None:
    t = case.inputs.get("t")
    return None if t is None else with_input(case, "t", np.asarray(change(t)))


def _rows(case: Case) -> int:
    return len(case.inputs["x" if "x" in case.inputs else "y"])


def _same_answer(evidence: Evidence, trial: Trial, change: Callable[[Case, int], Case | None]) -> bool:
    spec, case = evidence.bench.spec, trial.case
    classes = case.params["W2"].shape[-1] if "W2" in case.params else case.inputs.get("x", np.zeros((0,))).shape[-1]
    if "y" in case.inputs and "t" in case.inputs:
        classes = case.inputs["y"].shape[-1]
    try:
        good = change(case, max(int(classes), 1))
    except IndexError:
        return False
    if good is None or not trial.actual:
        return False
    try:
        balls = spec.bounds(PRECISIONS[case.dtype], good)
    except (ValueError, IndexError):
        return False
    pairs = [(a, asked(spec, n, good), allowed_error(balls[n])) for n, a in trial.actual.items()]
    return all(e is not None and agrees(a, e, allowed, case.dtype) for a, e, allowed in pairs)


def raised(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """A layout or a second call that raises: which, and what."""
    row, reason = evidence.bench.row
    first = evidence.first
    if reason != "error" or first.error is None:
        return
    if row == "inputs.layout":
        layouts = sorted({t.case.layout for t in [first, *evidence.failing]})
        if "read-only" in first.error and layouts == ["read-only"]:
            yield Diagnosis(
                "needs-writable", f"The layer writes into an array that it was handed, and raises where that is read-only: {first.error}."
            )
        else:
            yield Diagnosis("layout-raises", f"Memory that is {' or '.join(layouts)} makes the layer raise {first.error}.")
    if row == "backward.repeatable":
        yield Diagnosis("second-raises", f"The second backward raises {first.error}: the first one used up what forward had kept.")
    if row == "state.fresh":
        yield Diagnosis("used-raises", f"A used layer raises {first.error} on a case that a new one answers.")
    if row == "call.forward-first":
        yield Diagnosis(
            "order-damage", f"backward before forward leaves the layer in a state in which forward or backward raises {first.error}."
        )
