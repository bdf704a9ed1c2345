"""`spec_like`: a spec for a layer that we have none for, made of any torch function and one line about its inputs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Arrays, Case, Dims
from oracle.core.draw import CalmDraw, Draw, GeneratorSource, calm_case
from oracle.core.spec import Bounds, LayerSpec
from oracle.search.input_line import Argument, InputsError, parse_inputs
from oracle.specs.refusals import COTANGENT_SHAPE

_RANKS: dict[str, tuple[Dims, ...]] = {
    "matrix": (("A", "B"),),
    "any-rank": ((), ("A",), ("A", "B", "C"), ("A", "B", "C", "D")),
}


class _Cases:
    """Draws the arrays of one case; the axes of the results are found once for every choice of ranks."""

    def __init__(self, arguments: Sequence[Argument], function: Callable[..., Any]) -> None:
        self.arguments, self._function = tuple(arguments), function
        self.branches = tuple(_RANKS) if arguments[0].dims is None else ("inputs",)
        self._results: dict[Dims | None, tuple[Dims | None, ...]] = {}
        self.outputs: tuple[str, ...] = ("out",)

    def ranks(self, branch: str) -> Sequence[Dims | None]:
        return _RANKS.get(branch, (None,))

    def settle(self) -> None:
        """Find the axes of the results. Raises what the function raises."""
        for branch in self.branches:
            for shape in self.ranks(branch):
                self._results[shape] = self._axes_of_results(shape)
        counts = {len(dims) for dims in self._results.values()}
        if counts != {1}:
            self.outputs = tuple(f"out{i}" for i in range(max(counts)))

    def __call__(self, draw: Draw, branch: str) -> Case:
        options = self.ranks(branch)
        shape = options[0] if len(options) == 1 else draw.choice(options)
        arrays = self._arrays(draw, shape)
        found: tuple[Dims | None, ...] = self._results[shape]
        if None in found:
            found = self._shapes(arrays)
        cotangents = {name: draw.cotangent(name, *(dims or ())) for name, dims in zip(self.outputs, found, strict=True)}
        inputs = {a.name: arrays[a.name] for a in self.arguments if not a.param}
        return draw.case(inputs, {a.name: arrays[a.name] for a in self.arguments if a.param}, cotangents)

    def _arrays(self, draw: Draw, shape: Dims | None) -> Arrays:
        for a in self.arguments:
            if isinstance(a.classes, str):
                draw.size(a.classes, least=1)
        return {a.name: _values(draw, a, a.dims if a.dims is not None else shape or ()) for a in self.arguments}

    def _shapes(self, arrays: Arrays) -> tuple[Dims, ...]:
        from oracle.core.torch_balls import shapes_of

        try:
            return shapes_of(self._function, arrays)
        except (RuntimeError, ValueError, TypeError, IndexError):
            # torch does not answer this case: it is discarded when it is judged
            return ((),) * len(self.outputs)

    def _axes_of_results(self, shape: Dims | None) -> tuple[Dims | None, ...]:
        """The result's axes by name, from two sets of sizes that are all different; None where they follow no such rule."""
        from oracle.core.torch_balls import shapes_of

        names = sorted({part for a in self.arguments for d in (a.dims if a.dims is not None else shape or ()) for part in _parts_of(d)})
        named = []
        for primes in ((2, 3, 5, 7, 11, 13, 17, 19), (11, 7, 13, 3, 5, 19, 2, 23)):
            sizes = dict(zip(names, primes, strict=False))
            draw = CalmDraw(GeneratorSource(np.random.default_rng(1)), "float64", "", "", sizes)
            shapes = shapes_of(self._function, self._arrays(draw, shape))
            known = {int(np.prod([sizes[n] for n in group])): "*".join(group) for k in (3, 2, 1) for group in _groups(names, k)}
            named.append([tuple([known.get(n, n) for n in dims]) for dims in shapes])
        return tuple([a if a == b else None for a, b in zip(*named, strict=True)])


def _groups(names: Sequence[str], k: int) -> list[tuple[str, ...]]:
    return list(itertools.combinations(names, k))


def _parts_of(dim: str | int) -> list[str]:
    return dim.split("*") if isinstance(dim, str) else []


def _values(draw: Draw, a: Argument, dims: Dims) -> Array:
    """The numbers of one argument. NaN and infinities stay where they were sprinkled."""
    if a.word == "index":
        assert a.classes is not None
        classes = a.classes if isinstance(a.classes, int) else draw.sizes[a.classes]
        dtype = draw.choice(("int64", "int64", "int32", "uint8"))
        top = min(classes, np.iinfo(dtype).max)
        return np.asarray(draw.source.rng.integers(0, top, draw.shape(a.name, dims))).astype(dtype)
    if a.word == "probabilities":
        return draw.probabilities(a.name, *dims)
    x = draw.values(a.name, *dims)
    if a.word == "positive":
        x = np.where(x == 0, x.dtype.type(1), np.abs(x))
    elif a.word == "nonzero":
        x = np.where(x == 0, x.dtype.type(1), x)
    elif a.word == "integer":
        x = np.rint(np.clip(x, -100, 100))
    if a.interval is not None:
        low, high = a.interval
        x = np.clip(x, low, high) if draw.chance(0.4) else np.where(np.isnan(x), x, low + (high - low) * draw.source.rng.random(x.shape))
    return np.asarray(x).astype(draw.dtype)


__all__ = ["InputsError", "is_estimated", "parse_inputs", "spec_like"]


def spec_like(
    function: Callable[..., Any] | str,
    inputs: str | None = None,
    name: str | None = None,
    params: Sequence[str] = (),
    convention: str = "layer",
) -> LayerSpec:
    """A spec of any torch function: what a layer must equal, with its cases and a derived allowed error.

    function: a torch function, a function of tensors, a module instance, whose parameters stay as they are, or an expression such as
        "F.silu(x)". It gets the arrays of `inputs` in order, integer labels as int64.
    inputs: shapes and values in one line, see `parse_inputs`; without it, one array x of any rank.
    params: names out of `inputs` that the layer is built from; the same as to write them after `|`.

    An operation without a rule for balls leaves an estimated bound: see `is_estimated`. Raises InputsError, TypeError for what is no torch
    function, ValueError where it does not answer or does not use an array that should have a gradient.
    """
    from oracle.core.torch_balls import described, prepared

    arguments = parse_inputs("x: any" if inputs is None else inputs, params)
    names = [a.name for a in arguments]
    runs = prepared(function, names)
    cases = _Cases(arguments, runs)
    text = described(function, names)
    try:
        cases.settle()
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(f"like: {text} does not answer arrays of {inputs or 'x: any'!r}: {error}") from error
    wrt = tuple(a.name for a in arguments if not a.constant)
    made = LayerSpec(
        name=name or _short(text),
        layer=None,
        convention=convention,
        torch=text,
        cases=cases,
        outputs=cases.outputs,
        wrt=wrt,
        branches=cases.branches,
        bounds=_no_bounds,
        summary="",
        params=tuple(a.name for a in arguments if a.param),
        refusals=(COTANGENT_SHAPE,),
        function=runs,
    )
    bounds, missing = _bounds(made)
    how = f"allowed error estimated: no ball rule for {missing}" if missing else "allowed error derived from balls through it"
    return replace(made, bounds=bounds, summary=f"What {text} computes, with gradients of {', '.join(wrt)}; {how}.")


def _short(text: str) -> str:
    found = re.match(r"[\w.]+", text)
    return found[0].rsplit(".", 1)[-1] if found else text


def _no_bounds(p: Any, case: Case) -> Any:
    raise NotImplementedError


def _bounds(spec: LayerSpec) -> tuple[Bounds, str]:
    """Balls through the function, or the estimate and the operation that has no rule: found out on calm cases."""
    from oracle.core.torch_balls import Estimated, MissingRuleError, Propagated, unused

    assert spec.function is not None
    balls = Propagated(spec.function, spec.outputs, spec.wrt)
    rng = np.random.default_rng(0)
    for branch in spec.branches:
        for _ in range(len(_RANKS.get(branch, "x")) * 2):
            case = calm_case(spec, rng, branch)
            if left := unused(spec.function, {**case.inputs, **case.params}, spec.wrt):
                raise ValueError(f"like: {spec.torch} does not use {', '.join(left)}; say `constant` or leave it out of inputs")
            try:
                balls.probe(PRECISIONS[case.dtype], case)
            except MissingRuleError as missing:
                return Estimated(spec.function, spec.outputs, spec.wrt, str(missing)), str(missing)
    return balls, ""


def is_estimated(spec: LayerSpec) -> str:
    """The operation that has no ball rule, so that the allowed error is an estimate; empty where it is derived."""
    return str(getattr(spec.bounds, "missing", ""))
