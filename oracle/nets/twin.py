"""Torch's twin of a net: the loss as a torch expression over x, t and the net's own parameters, with the error it allows.

A twin is a LayerSpec whose one output is `loss`, so that `oracle.core.expected.evaluate` gives loss and gradients, and `spec.bounds` their
balls. A net with parameters W1, b1 ... Wn, bn has a twin that is written here: affine layers with an activation between them, under the
softmax loss. Any other needs an expression of the user's.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from oracle.core import expected
from oracle.core.ball import Ball, Precision
from oracle.core.case import Array, Case
from oracle.core.draw import Draw
from oracle.core.evaluation import Evaluation
from oracle.core.spec import Bounds, LayerSpec
from oracle.specs.losses import LABEL_TORCH
from oracle.specs.networks import relu_net

ACTIVATIONS = {"relu": "F.relu({})", "sigmoid": "torch.sigmoid({})", "tanh": "torch.tanh({})"}
"""Activation -> how torch writes it."""
LABELS = ("index", "one-hot")
"""The forms of the labels, which are the branches of a twin."""
LONGEST = 100
"""Characters of a parameter's name."""
EXAMPLE = '--torch "F.cross_entropy(F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2), t)"'


class TwinError(Exception):
    """A net that no twin is known for, or an expression that does not compute its loss; the message says what to do."""


def twin_of(params: Mapping[str, Array], torch: str | None = None, activation: str = "relu") -> LayerSpec:
    """The twin of a net with these parameters.

    torch: the loss as a torch expression over x, t and the names of the parameters, with `F` and `torch` in scope; without it, the
        parameters must be W1, b1 ... Wn, bn of fitting shapes.
    activation: what is between the layers of such a net: relu, sigmoid or tanh.
    Raises TwinError.
    """
    names = tuple(params)
    if not names:
        raise TwinError("the net has no parameters: there is no gradient to check")
    if odd := [name for name in names if not _usable(name)]:
        raise TwinError(
            f"a parameter is called {odd[0][:LONGEST]!r}: torch's side needs names that are Python names, and neither x, t, F nor torch"
        )
    _dtype(params)
    if torch is not None:
        function = _written(torch, names)
        return _spec(names, torch, _Through(function, names), function)
    if activation not in ACTIVATIONS:
        raise TwinError(f"--activation: {activation!r} is none of {', '.join(ACTIVATIONS)}")
    depth = _depth(params)
    texts = {form: LABEL_TORCH[form].format(scores=_scores(depth, activation)) for form in LABELS}
    bounds: Bounds = _dense_bounds(depth) if activation == "relu" else _ByForm(texts, names)
    return _spec(names, texts, bounds)


def scores_of(params: Mapping[str, Array], torch: str | None = None, activation: str = "relu") -> str:
    """The scores of the twin that `twin_of` makes, as a torch expression; empty where only the loss is known."""
    return "" if torch is not None else _scores(_depth(params), activation)


def wrong_order_of(params: Mapping[str, Array], torch: str | None = None, activation: str = "relu") -> LayerSpec | None:
    """The twin of a net with the same parameters whose activations all come after its last layer: no net at all, but a planted fault.

    None where the layers are not known, or where there is one alone. It has no balls: nothing is judged by it.
    """
    if torch is not None or (depth := _depth(params)) < 2:
        return None
    text = "x.flatten(1)"
    for i in range(1, depth + 1):
        text = f"F.linear({text}, W{i}.T, b{i})"
    for _ in range(1, depth):
        text = ACTIVATIONS[activation].format(text)
    return _spec(tuple(params), {form: LABEL_TORCH[form].format(scores=text) for form in LABELS}, _no_balls)


def _no_balls(p: Precision, case: Case) -> dict[str, Ball]:
    raise NotImplementedError("nothing is judged by a planted fault")


def case_of(spec: LayerSpec, x: Array, t: Array, params: Mapping[str, Array]) -> Case:
    """The batch x, t at these parameters as a case of the twin: numbers in the dtype of the parameters, index labels as int64."""
    dtype = _dtype(params)
    labels = t.astype(np.int64) if t.ndim == 1 and t.dtype.kind in "iu" else t.astype(dtype, copy=False)
    given = {"x": np.ascontiguousarray(x.astype(dtype, copy=False)), "t": np.ascontiguousarray(labels)}
    # not ascontiguousarray, which makes an array of a single number
    held = {name: np.asarray(params[name], order="C") for name in spec.params}
    return Case("net", LABELS[t.ndim > 1], dtype.name, given, held, {"loss": np.ones((), dtype)}, {}, {})


def answer(spec: LayerSpec, case: Case) -> Evaluation:
    """Torch's loss and gradients. Raises TwinError where the twin does not compute on this case."""
    found = expected.evaluate(spec, case)
    if found.error is not None:
        raise TwinError(f"torch's side of the net, {spec.expression(case.branch)}, does not compute: {found.error}")
    return found


def estimated(spec: LayerSpec) -> str:
    """The operation that has no ball rule, so that the allowed error is an estimate; empty where it is derived, or not yet asked for."""
    return str(getattr(spec.bounds, "missing", ""))


def _usable(name: str) -> bool:
    return len(name) <= LONGEST and name.isidentifier() and not keyword.iskeyword(name) and name not in ("x", "t", "F", "torch")


def _dtype(params: Mapping[str, Array]) -> np.dtype[Any]:
    dtypes = {name: a.dtype for name, a in params.items()}
    first = next(iter(dtypes.values()))
    if other := [f"{name} is {dtype}" for name, dtype in dtypes.items() if dtype != first]:
        raise TwinError(f"the parameters are of several dtypes ({next(iter(dtypes))} is {first}, {other[0]}): make them all of one")
    if first not in (np.float16, np.float32, np.float64):
        raise TwinError(f"the parameters are {first}: only float64, float32 and float16 can be judged")
    return first


def _depth(params: Mapping[str, Array]) -> int:
    """How many layers W1, b1 ... Wn, bn make. Raises TwinError where the parameters are others, or do not fit together."""
    depth = len(params) // 2
    wanted = {f"{letter}{i}" for i in range(1, depth + 1) for letter in "Wb"}
    if set(params) != wanted or not depth:
        raise TwinError(
            f"no twin is known for a net with the parameters {', '.join(params)}: those of W1, b1 ... Wn, bn have one. "
            f"Pass --torch EXPR, the loss over x, t and these names, such as {EXAMPLE}"
        )
    for i in range(1, depth + 1):
        W, b = params[f"W{i}"], params[f"b{i}"]
        width = params[f"W{i - 1}"].shape[-1:] if i > 1 else W.shape[:1]
        if W.ndim != 2 or W.shape[:1] != width or b.shape != W.shape[1:]:
            raise TwinError(
                f"W{i} of shape {W.shape} and b{i} of shape {b.shape} make no layer (inputs, outputs), (outputs,)"
                f"{f' behind W{i - 1} of shape ' + str(params[f'W{i - 1}'].shape) if i > 1 else ''}. Pass --torch EXPR, the loss over x, t "
                f"and the parameters, such as {EXAMPLE}"
            )
    return depth


def _scores(depth: int, activation: str) -> str:
    """The scores of a net of `depth` layers as a torch expression."""
    text = "x.flatten(1)"
    for i in range(1, depth + 1):
        text = f"F.linear({text}, W{i}.T, b{i})"
        text = ACTIVATIONS[activation].format(text) if i < depth else text
    return text


def _spec(names: tuple[str, ...], torch: str | Mapping[str, str], bounds: Bounds, function: Callable[..., Any] | None = None) -> LayerSpec:
    return LayerSpec(
        name="net",
        layer=None,
        convention="net",
        torch=torch,
        cases=_no_cases,
        outputs=("loss",),
        wrt=names,
        branches=LABELS,
        bounds=bounds,
        summary="The loss of a net, and its gradient for every parameter.",
        params=names,
        function=function,
    )


def _no_cases(draw: Draw, branch: str) -> Case:
    raise NotImplementedError("the cases of a twin are the batches that its net is given")


def _dense_bounds(depth: int) -> Bounds:
    """The balls of a relu net of `depth` layers, by hand: a training asks for them at every step."""

    def bounds(p: Precision, case: Case) -> dict[str, Ball]:
        x = case.inputs["x"]
        layers = [tuple(Ball.exact(p, case.params[f"{letter}{i}"]) for letter in "Wb") for i in range(1, depth + 1)]
        dout = Ball.exact(p, case.cotangents["loss"]) if case.cotangents else None
        with np.errstate(all="ignore"):
            found = relu_net(Ball.exact(p, x.reshape(len(x), -1)), layers, case.inputs["t"], dout)  # type: ignore[arg-type]
        balls = {"forward.loss": found.loss}
        for i, (dW, db) in enumerate(found.grads, 1):
            balls.update({f"backward.dW{i}": dW, f"backward.db{i}": db})
        return balls

    return bounds


class _Through:
    """Balls through a torch function; where an operation of it has no rule, an estimate, and `missing` names the operation."""

    def __init__(self, function: Callable[..., Any], names: Sequence[str]) -> None:
        self._function, self._names = function, tuple(names)
        self._bounds: Bounds | None = None
        self.missing = ""

    def __call__(self, p: Precision, case: Case) -> dict[str, Ball]:
        if self._bounds is None:
            self._bounds = self._found(p, case)
        return self._bounds(p, case)

    def _found(self, p: Precision, case: Case) -> Bounds:
        from oracle.core.torch_balls import Estimated, MissingRuleError, Propagated

        balls = Propagated(self._function, ("loss",), self._names)
        try:
            balls.probe(p, case)
        except MissingRuleError as missing:
            self.missing = str(missing)
            return Estimated(self._function, ("loss",), self._names, self.missing)
        return balls


class _ByForm:
    """Balls through the expression of each form of the labels."""

    def __init__(self, texts: Mapping[str, str], names: tuple[str, ...]) -> None:
        from oracle.core.torch_side import compiled

        self._through = {form: _Through(compiled(text, ("x", "t", *names)), names) for form, text in texts.items()}

    def __call__(self, p: Precision, case: Case) -> dict[str, Ball]:
        return self._through[case.branch](p, case)


def _written(text: str, names: tuple[str, ...]) -> Callable[..., Any]:
    """The user's expression as a function of x, t and the parameters. What it raises becomes a TwinError."""
    from oracle.core.torch_balls import MissingRuleError
    from oracle.core.torch_side import compiled

    try:
        function = compiled(text, ("x", "t", *names))
    except (SyntaxError, ValueError) as error:
        raise TwinError(f"--torch: {text!r} is no Python expression: {error}") from error

    def loss(*given: Any) -> Any:
        try:
            found = function(*given)
        except MissingRuleError:
            raise
        except Exception as error:
            told = (str(error).strip() or "no message").split("\n", 1)[0][:300]
            raise TwinError(f"--torch: {text} does not compute: {type(error).__name__}: {told}") from error
        if getattr(found, "ndim", None) is None or found.ndim:
            shape = f"a tensor of shape {tuple(found.shape)}" if hasattr(found, "shape") else f"a {type(found).__name__}"
            raise TwinError(f"--torch: {text} gives {shape}; it must give the loss, one number as a tensor")
        return found

    return loss
