"""The right numbers in the wrong place, in the wrong quantity, or added up over the wrong elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from oracle.core.case import Array
from oracle.search.diagnose.evidence import Evidence, Trial
from oracle.search.diagnose.guess import Diagnosis, Guess, word


def misplaced(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Transposed, reversed, shifted, in Fortran order."""
    name = evidence.quantity
    if name is None:
        return

    def moved(cause: str, words: str, move: Callable[[Array], Array]) -> Guess:
        return Guess(cause, f"{name} holds torch's numbers {words}.", lambda t: _like(move, t.expected.get(name)))

    yield moved("transposed", "transposed", lambda e: e.T)
    yield moved("fortran-order", "in Fortran order: they are reshaped column by column", lambda e: e.ravel().reshape(e.shape, order="F"))
    yield moved("fortran-order", "as they lie in Fortran order, read row by row", lambda e: e.ravel(order="F").reshape(e.shape))
    yield moved("last-axis-reversed", "in reversed order along the last axis", lambda e: e[..., ::-1] if e.ndim else e)
    yield moved("first-axis-reversed", "in reversed order along axis 0", lambda e: e[::-1] if e.ndim else e)
    yield moved("shifted", "shifted by one along the last axis", lambda e: np.roll(e, 1, -1) if e.ndim else e)
    yield moved("shifted-back", "shifted back by one along the last axis", lambda e: np.roll(e, -1, -1) if e.ndim else e)
    yield moved("sorted", "sorted along the last axis", lambda e: np.sort(e, -1) if e.ndim else e)


def _like(move: Callable[[Array], Array], e: Array | None) -> Array | None:
    return None if e is None else np.asarray(move(e))


def instead(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Another quantity, an input, or the cotangent stands in the place of this one; or it is the absolute value, the square, a constant."""
    name = evidence.quantity
    if name is None:
        return
    trial = evidence.failing[0]
    for other in trial.expected:
        if other != name and trial.expected[other].shape == trial.expected[name].shape:
            yield Guess(f"is-{other}", f"{name} is what {other} should be.", lambda t, o=other: t.expected.get(o))  # type: ignore[misc]
    for array in trial.case.arrays:
        text = "dout" if array == f"d{evidence.bench.spec.outputs[0]}" else array
        sentence = f"{name} is {text}, handed back as it came."
        yield Guess(f"is-{text}", sentence, lambda t, a=array: t.case.arrays.get(a))  # type: ignore[misc]
    yield Guess("absolute-value", f"{name} is the absolute value of what torch gives.", lambda t: np.abs(t.expected[name]))
    yield Guess("all-one", f"{name} is 1 everywhere.", lambda t: np.ones_like(t.expected[name]))
    yield Guess("reciprocal", f"{name} is 1 divided by what torch gives.", lambda t: 1 / t.expected[name])
    yield Guess("square", f"{name} is the square of what torch gives.", lambda t: np.square(t.expected[name]))
    yield Guess("exponential", f"{name} is exp of what torch gives.", lambda t: np.exp(t.expected[name]))
    yield Guess("positive-part", f"{name} is torch's with everything below 0 cut off.", lambda t: np.maximum(t.expected[name], 0))
    yield Guess("logarithm", f"{name} is the logarithm of what torch gives.", lambda t: np.log(t.expected[name]))
    yield Guess("clipped-1", f"{name} is torch's clipped to -1 ... 1.", lambda t: np.clip(t.expected[name], -1, 1))
    yield Guess("rounded", f"{name} is torch's rounded to whole numbers.", lambda t: np.round(t.expected[name]))
    yield Guess("plus-one", f"{name} is torch's plus 1.", lambda t: t.expected[name] + 1)
    yield Guess("less-one", f"{name} is torch's less 1.", lambda t: t.expected[name] - 1)
    yield Guess("complement", f"{name} is 1 less what torch gives.", lambda t: 1 - t.expected[name])


def axes(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Averaged where a stretched operand asks for the sum, taken from one place of it, or spread evenly over an axis."""
    name = evidence.quantity
    if name is None:
        return
    yield from _stretched(evidence, name)
    for axis in range(evidence.failing[0].expected[name].ndim):
        for cause, words, take in (
            ("sum", "the sum", np.sum),
            ("mean", "the mean", np.mean),
        ):
            yield Guess(
                f"{cause}-over-axis-{axis}",
                f"{name} holds {words} of torch's over axis {axis} in every place along it.",
                lambda t, f=take, i=axis: _spread(f, i, t.expected.get(name)),  # type: ignore[misc]
            )


def _stretched(evidence: Evidence, name: str) -> Iterator[Guess]:
    """For the gradient of an operand that broadcasting stretched: mean, first or last of what has to be summed."""
    if not name.startswith("backward.d") or name[len("backward.d") :] not in {**evidence.first.case.inputs, **evidence.first.case.params}:
        return
    operand = name[len("backward.d") :]
    for cause, words, how in (
        ("broadcast-averaged", "the mean over the axes along which {o} was stretched, where the sum belongs", "mean"),
        ("broadcast-first", "taken from the first place along which {o} was stretched, where the sum over all belongs", "first"),
        ("broadcast-last", "taken from the last place along which {o} was stretched, where the sum over all belongs", "last"),
    ):
        yield Guess(cause, f"{name} is {words.format(o=operand)}.", lambda t, h=how: _unstretched(t, name, operand, h))  # type: ignore[misc]


def _unstretched(trial: Trial, name: str, operand: str, how: str) -> Array | None:
    """The operand's gradient with another reduction than the sum, from products formed element by element."""
    case = trial.case
    own, others = case.arrays[operand], [a for n, a in case.inputs.items() if n != operand]
    dout = next(iter(case.cotangents.values()), None)
    if dout is None or len(others) != 1 or case.params:
        return None
    both = np.add(own, others[0])
    terms = np.broadcast_to(dout, both.shape) * (others[0] if case.layer == "MulLayer" else np.ones_like(others[0]))
    over = tuple(
        i for i in range(terms.ndim) if i < terms.ndim - own.ndim or (own.shape[i - terms.ndim + own.ndim] == 1 and terms.shape[i] != 1)
    )
    if how == "mean":
        return terms.mean(axis=over).reshape(own.shape) if over else trial.expected[name]
    at = 0 if how == "first" else -1
    return terms[tuple(at if i in over else slice(None) for i in range(terms.ndim))].reshape(own.shape) if terms.size else None


def partly(evidence: Evidence) -> Iterator[Guess | Diagnosis]:
    """Some elements are left 0: all but the first row, the last row, or those beyond a block."""
    name = evidence.quantity
    if name is None:
        return
    for axis in range(evidence.failing[0].expected[name].ndim):
        dim = _dim_of(evidence, name, axis)
        along = f"axis {axis}" if dim is None else f"axis {axis} ({word(dim)})"
        for cause, words, keep in (
            (f"only-first-along-{axis}", "only the first place along", slice(0, 1)),
            (f"last-missing-along-{axis}", "all but the last place along", slice(0, -1)),
            (f"first-missing-along-{axis}", "all but the first place along", slice(1, None)),
        ):
            yield Guess(
                cause,
                f"{name} is right in {words} {along}; the rest is 0.",
                lambda t, i=axis, k=keep: _kept(t.expected.get(name), i, k),  # type: ignore[misc]
            )


def _dim_of(evidence: Evidence, name: str, axis: int) -> str | None:
    dims = evidence.failing[0].case.dims.get(name.partition(".d")[2], ())
    return str(dims[axis]) if axis < len(dims) and isinstance(dims[axis], str) and "*" not in str(dims[axis]) else None


def _kept(e: Array | None, axis: int, keep: slice) -> Array | None:
    if e is None or axis >= e.ndim:
        return e
    out = np.zeros_like(e)
    at = tuple(keep if i == axis else slice(None) for i in range(e.ndim))
    out[at] = e[at]
    return out


def _spread(take: Callable[..., Array], axis: int, e: Array | None) -> Array | None:
    return e if e is None or axis >= e.ndim else np.broadcast_to(take(e, axis=axis, keepdims=True), e.shape)
