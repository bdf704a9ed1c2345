"""Where a layer fails: one plain condition that holds in every failing trial and in no passing one. The last resort, and never a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import Array, Case
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, with_input, word

EACH = 4
"""Failing and passing trials that a condition must tell apart, of each kind."""
Test = Callable[[Case], bool]


def _floats(case: Case) -> list[Array]:
    return [a for a in case.inputs.values() if a.dtype.kind == "f"]


def _scores(case: Case) -> list[Array]:
    return [a for n, a in case.inputs.items() if a.dtype.kind == "f" and n != "t"]


CONDITIONS: tuple[tuple[str, str, Test], ...] = (
    ("no-elements", "an axis has size 0", lambda c: any(a.size == 0 for a in c.arrays.values())),
    ("rank-above-2", "an input has more than two axes", lambda c: any(a.ndim > 2 for a in _scores(c))),
    ("rank-0", "the inputs have no axes", lambda c: all(a.ndim == 0 for a in c.inputs.values())),
    ("rank-1", "an input has one axis", lambda c: any(a.ndim == 1 for a in _scores(c))),
    ("rank-below-2", "an input has fewer than two axes", lambda c: any(a.ndim < 2 for a in _scores(c))),
    ("rank-not-2", "an input has other than two axes", lambda c: any(a.ndim != 2 for a in _scores(c))),
    ("nan-in-inputs", "an input holds NaN", lambda c: any(np.isnan(a).any() for a in _floats(c))),
    ("inf-in-inputs", "an input holds an infinity", lambda c: any(np.isinf(a).any() for a in _floats(c))),
    ("not-finite", "an input holds NaN or an infinity", lambda c: any(not np.isfinite(a).all() for a in _floats(c))),
    ("dout-not-finite", "dout holds NaN or an infinity", lambda c: any(not np.isfinite(a).all() for a in c.cotangents.values())),
    ("exact-zero", "an element of x is exactly 0", lambda c: any((a == 0).any() for a in _scores(c))),
    (
        "all-labels-ignored",
        "every label is -100",
        lambda c: "t" in c.inputs and c.inputs["t"].size > 0 and bool((c.inputs["t"].astype(np.float64) == -100).all()),
    ),
    (
        "ignored-labels",
        "a label is the ignored one, -100",
        lambda c: "t" in c.inputs and bool((c.inputs["t"].astype(np.float64) == -100).any()),
    ),
    ("unsigned-labels", "t has an unsigned dtype", lambda c: "t" in c.inputs and c.inputs["t"].dtype.kind == "u"),
    ("uint8-labels", "t is uint8", lambda c: "t" in c.inputs and c.inputs["t"].dtype == np.uint8),
    ("bool-labels", "t is bool", lambda c: "t" in c.inputs and c.inputs["t"].dtype == np.bool_),
    ("integer-labels", "t has an integer dtype", lambda c: "t" in c.inputs and c.inputs["t"].dtype.kind in "iu"),
    ("float-labels", "t has a floating dtype", lambda c: "t" in c.inputs and c.inputs["t"].dtype.kind == "f"),
    (
        "wider-labels",
        "t is of a wider dtype than x",
        lambda c: "t" in c.inputs and c.inputs["t"].dtype == np.float64 and c.dtype != "float64",
    ),
    (
        "labels-as-many-as-scores",
        "t has as many elements as x",
        lambda c: "t" in c.inputs and "C" in c.sizes and c.inputs["t"].size == c.sizes.get("N", 1) * c.sizes["C"],
    ),
    ("square", "x is square", lambda c: any(a.ndim == 2 and a.shape[0] == a.shape[1] > 1 for a in _scores(c))),
    ("one-element", "x has one element", lambda c: "x" in c.inputs and c.inputs["x"].size == 1),
    ("same-shapes", "x and y have one shape", lambda c: {"x", "y"} <= set(c.inputs) and c.inputs["x"].shape == c.inputs["y"].shape),
    (
        "stretched",
        "broadcasting stretches an operand",
        lambda c: {"x", "y"} <= set(c.inputs) and c.inputs["x"].shape != c.inputs["y"].shape,
    ),
    ("x-stretched", "broadcasting stretches x", lambda c: {"x", "y"} <= set(c.inputs) and _stretched(c, "x")),
    ("y-stretched", "broadcasting stretches y", lambda c: {"x", "y"} <= set(c.inputs) and _stretched(c, "y")),
    ("y-of-lower-rank", "y has fewer axes than x", lambda c: {"x", "y"} <= set(c.inputs) and c.inputs["y"].ndim < c.inputs["x"].ndim),
    ("x-of-lower-rank", "x has fewer axes than y", lambda c: {"x", "y"} <= set(c.inputs) and c.inputs["x"].ndim < c.inputs["y"].ndim),
    ("x-of-size-1", "x has an axis of size 1 that is stretched", lambda c: {"x", "y"} <= set(c.inputs) and _ones_stretched(c, "x")),
    ("y-of-size-1", "y has an axis of size 1 that is stretched", lambda c: {"x", "y"} <= set(c.inputs) and _ones_stretched(c, "y")),
)


def _full(case: Case) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(case.inputs["x"].shape, case.inputs["y"].shape)
    except ValueError:
        # two inputs that do not broadcast stretch nothing
        return ()


def _stretched(case: Case, name: str) -> bool:
    return case.inputs[name].shape != _full(case)


def _ones_stretched(case: Case, name: str) -> bool:
    shape, full = case.inputs[name].shape, _full(case)
    return any(n == 1 and m != 1 for n, m in zip(shape[::-1], full[::-1], strict=False))


def only_where(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Every condition of the list that tells failing from passing trials; several at once say nothing, unless one of them is narrower."""
    if evidence.first.case.refusal is not None:
        return
    failing = [evidence.first, *evidence.failing]
    passing = list(evidence.passing)
    if evidence.calm:
        passing += _others(evidence)
    if len(failing) < EACH or len(passing) < EACH:
        return
    fitting = [
        (cause, words) for cause, words, test in _tests(evidence) if all(map(test, _cases(failing))) and not any(map(test, _cases(passing)))
    ]
    if len(fitting) == 1 and _repaired(evidence, fitting[0][0], failing) and not ("=" in fitting[0][0] and _nothing_counts(evidence)):
        cause, words = fitting[0]
        yield Diagnosis(f"only-{cause}", f"{_what(evidence)} only where {words}.")


_REPAIRS: dict[str, Callable[[Array], Array]] = {
    "nan-in-inputs": lambda a: np.where(np.isnan(a), 0.5, a),
    "inf-in-inputs": lambda a: np.where(np.isinf(a), 0.5, a),
    "not-finite": lambda a: np.where(np.isfinite(a), a, 0.5),
    "exact-zero": lambda a: np.where(a == 0, 0.5, a),
}
"""How a condition on values is taken away: then the row must hold."""


def _repaired(evidence: Evidence, cause: str, failing: list[Trial]) -> bool:
    """Whether every failing case passes once the condition is taken away; of sizes and dtypes the passing trials say enough."""
    repair = _REPAIRS.get(cause)
    if repair is None:
        return True
    for trial in failing:
        case = trial.case
        inputs = {n: repair(a).astype(a.dtype) if a.dtype.kind == "f" else a for n, a in case.inputs.items()}
        if evidence.bench.fails(case._replace(inputs=inputs)) is not False:
            return False
    return True


def _cases(trials: list[Trial]) -> list[Case]:
    return [t.case for t in trials]


def _others(evidence: Evidence) -> list[Trial]:
    """Passing trials of other sizes, of which calm cases have none: an axis of size 1, and squares."""
    bench, found = evidence.bench, []
    for size in (1, 2, 3):
        trial = bench.tried(bench.calm(sizes=dict.fromkeys(evidence.failing[0].case.sizes, size)))
        if trial is not None and not trial.failing:
            found.append(trial)
    return found


def _what(evidence: Evidence) -> str:
    first = evidence.first
    if first.error is not None and evidence.bench.row[0] == "call.answers":
        return f"The layer raises {first.error}"
    name = evidence.label
    if evidence.quantity is not None and evidence.bench.row[1] == "nan":
        return f"{name} has a wrong NaN or infinity"
    return f"{name} is wrong" if evidence.quantity is not None else f"{name} fails"


def _tests(evidence: Evidence) -> Iterator[tuple[str, str, Test]]:
    """The fixed list, and the sizes of the axes that this branch has."""
    yield from CONDITIONS
    for dim in evidence.first.case.sizes:
        for size in (0, 1):
            yield f"{dim}={size}", f"{dim}, {word(dim)}, is {size}", lambda c, d=dim, n=size: c.sizes.get(d) == n  # type: ignore[misc]
    yield "N=C", "N = C: as many rows as classes", lambda c: "N" in c.sizes and "C" in c.sizes and c.sizes["N"] == c.sizes["C"]


def beyond_a_size(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Wrong from one size of one axis on: found by bisection, all other axes held at 2."""
    if evidence.calm or evidence.first.case.protocol != "plain" or not evidence.passing:
        return
    for dim, size in evidence.first.case.sizes.items():
        if size <= 8:
            continue
        others = {d: 1 if _multiplied(evidence.first.case, d, dim) else 2 for d in evidence.first.case.sizes if d != dim}
        if not _fails_at(evidence, dim, max(size, 9), others) or _fails_at(evidence, dim, 8, others):
            continue
        low, high = 8, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _fails_at(evidence, dim, middle, others) else (middle, high)
        steady = all(_fails_at(evidence, dim, n, others) for n in (high, high + 1, high + 7)) and not _fails_at(evidence, dim, low, others)
        if steady and _fails_at(evidence, dim, 2 * low, others):
            yield Diagnosis(
                f"size-{high}", f"{evidence.label} is wrong from {dim} = {high} on, and right up to {low}; {dim} is {word(dim)}."
            )
        elif steady:
            yield Diagnosis(
                f"block-{low}",
                f"{evidence.label} is right up to {dim} = {low} and at {2 * low}, and wrong in between: "
                f"{dim}, {word(dim)}, is gone through in blocks of {low}, and an incomplete one is not.",
            )


def of_a_size(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Wrong where one axis has size 0 or 1: on calm cases too, whatever the others are, and on no calm case else."""
    if evidence.calm or evidence.first.case.refusal is not None:
        return
    failing = [evidence.first, *evidence.failing]
    found = []
    for dim in evidence.first.case.sizes:
        for size in (0, 1):
            if all(t.case.sizes.get(dim) == size for t in failing) and all(
                evidence.bench.fails(evidence.bench.calm(sizes={dim: size})) for _ in range(4)
            ):
                found.append(Diagnosis(f"only-{dim}={size}", f"{_what(evidence)} only where {dim}, {word(dim)}, is {size}."))
    yield from found if len(found) == 1 and not _nothing_counts(evidence) else ()


def _nothing_counts(evidence: Evidence) -> bool:
    """Whether a case of which every label is ignored fails as well: then it is not the size that matters."""
    case = evidence.bench.calm()
    t = case.inputs.get("t")
    if t is None or t.dtype.kind != "i" or t.size == 0:
        return False
    return bool(evidence.bench.fails(with_input(case, "t", np.full_like(t, -100))))


def _multiplied(case: Case, one: str, other: str) -> bool:
    """Whether both are factors of one axis."""
    return any({one, other} <= set(str(dim).split("*")) for dims in case.dims.values() for dim in dims)


def _fails_at(evidence: Evidence, dim: str, size: int, others: dict[str, int]) -> bool:
    return bool(evidence.bench.fails(evidence.bench.calm(sizes={dim: size, **others})))


def beyond_a_value(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Wrong from one magnitude of x on: found by bisection on a case whose x is +-v everywhere but in one element."""
    case = evidence.first.case
    if evidence.calm or "x" not in case.inputs or evidence.first.case.protocol != "plain":
        return
    for sign, text in ((1.0, "x"), (-1.0, "x, for negative x,")):
        found = threshold(lambda v, s=sign: _fails_with(evidence, s * v), 1.0, 2e4)  # type: ignore[misc]
        if found is not None and _sharp(evidence, sign * found):
            yield _of_threshold(evidence, sign * found, text)
            return


def _sharp(evidence: Evidence, at: float) -> bool:
    """Whether the row fails whatever the case is on one side of the threshold, and never on the other."""
    beyond = all(_fails_with(evidence, at * f) for f in (1.01, 1.02, 1.05, 1.2, 1.5) * 2)
    return beyond and not any(_fails_with(evidence, at * f) for f in (0.99, 0.98, 0.95, 0.8, 0.6) * 2)


def _of_threshold(evidence: Evidence, at: float, text: str) -> Diagnosis:
    """The sentence of a threshold; where exp is known to overflow, and gives NaN or a warning, that is what happens."""
    dtype = evidence.first.case.dtype
    limit = float(np.log(np.finfo(dtype).max))
    wrong = evidence.bench.row[1] == "nan" or evidence.bench.row[0] == "call.no-warnings"
    where = f"from x = {at:.5g} on" if at > 0 else f"below x = {at:.5g}"
    if wrong and abs(abs(at) - limit) < 0.02 * limit:
        what = (
            "a warning is given there"
            if evidence.bench.row[0] == "call.no-warnings"
            else f"{evidence.label} has a wrong NaN or infinity there"
        )
        return Diagnosis("exp-overflows", f"exp overflows {where} ({dtype}): {what}.")
    return Diagnosis("threshold", f"{evidence.label} is wrong {where}, and right short of it.")


def threshold(fails: Callable[[float], bool], low: float, high: float) -> float | None:
    """The least magnitude within [low, high] from which `fails` holds, to 4 digits; None where it holds at `low` or nowhere on the way."""
    if fails(low):
        return None
    steps = [30.0, 90.0, 120.0, 720.0, 1100.0, high]
    for step in steps:
        if fails(step):
            high = step
            break
        low = step
    else:
        return None
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high


def _fails_with(evidence: Evidence, value: float) -> bool:
    """Whether the row fails on a calm case with one element of every row of x at `value`."""
    case = evidence.bench.calm(evidence.first.case.dtype)
    x = case.inputs["x"].copy()
    x[(..., 0) if x.ndim else ()] = value
    return bool(evidence.bench.fails(case._replace(inputs={**case.inputs, "x": x})))
