"""A net as a subject: its parameters by name, its loss and its gradients, whatever the object itself is like.

A net has `params` (a dict of float arrays), `loss(x, t)` and `gradient(x, t)`, which returns a dict by the same names. Every departure
from that is a NetError, which says what was expected and what came instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from oracle.core.case import Array, Arrays
from oracle.core.evaluation import Breach
from oracle.subjects.net_values import (
    NetError,
    by_name,
    calling,
    in_parts,
    names_of,
    number,
    parameter,
    params_of,
    same_bits,
    share,
    type_name,
)
from oracle.subjects.replacing import replace_array

T = TypeVar("T")

__all__ = ["Gradients", "NetError", "NetSubject", "Step", "made"]


class Gradients(NamedTuple):
    """What `gradient` returned, by the parameters' names, and which contracts it broke."""

    grads: Arrays
    breaches: tuple[Breach, ...]


class Step(NamedTuple):
    """One step of gradient descent: the gradients, the loss after the update, and the contracts broken on the way."""

    grads: Arrays
    loss: Array
    breaches: tuple[Breach, ...]


class NetSubject:
    """`net`, which is in this process. Raises NetError where it has no `params`, `loss` and `gradient`.

    names: its parameters, in its own order. breaches: the contracts that the last call broke.
    """

    def __init__(self, net: Any) -> None:
        self._net = net
        self._grads: Arrays | None = None
        self.breaches: tuple[Breach, ...] = ()
        with calling("a look at params, loss and gradient"):
            for method in ("loss", "gradient"):
                if not callable(getattr(net, method, None)):
                    raise NetError(f"{type_name(net)} has no method {method}(x, t); a net needs params, loss and gradient")
            self.names = names_of(params_of(self._net))

    def __enter__(self) -> NetSubject:
        return self

    def __exit__(self, *exception: object) -> None:
        """There is nothing to close; a net in a process of its own has."""

    def params(self) -> Arrays:
        """Copies of the parameters, by name."""
        with calling("params"):
            return {name: np.array(a, subok=False) for name, a in self._arrays().items()}

    def assign(self, params: Mapping[str, npt.ArrayLike]) -> None:
        """Write `params`, all of them, into the net's own arrays.

        One of another dtype or shape takes the place of the net's array, also where the net's layers hold that one.
        """
        if set(params) != set(self.names):
            raise NetError(f"params are {', '.join(map(str, params)) or 'empty'}; the net has {', '.join(self.names)}")
        with calling("params"):
            own = params_of(self._net)
            for name, held in self._arrays().items():
                given = parameter(name, np.asarray(params[name]))
                if held.dtype == given.dtype and held.shape == given.shape and held.flags.writeable:
                    held[...] = given
                else:
                    self._replace(own, name, held, given.copy())

    def _replace(self, own: MutableMapping[str, Any], name: str, held: Array, new: Array) -> None:
        own[name] = new
        view = replace_array(self._net, held, new)
        if view is not None:
            raise NetError(
                f"params[{name!r}] cannot become {new.dtype} {new.shape}: {view} holds on to the {held.dtype} {held.shape} array; "
                "give the net a dtype argument"
            )

    def gradient(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Gradients:
        """The gradients that the net returns for the batch x with labels t."""
        return self._gradient(_Batch(x, t))

    def loss(self, x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The loss of the batch x with labels t, as a 0-d array."""
        batch = _Batch(x, t)
        value = self._guarded("loss", batch, lambda: number("loss", self._net.loss(*batch.given)))
        self.breaches = tuple(batch.breaches)
        return value

    def update(self, grads: Mapping[str, npt.ArrayLike] | None, lr: float) -> None:
        """`params[name] -= lr * grads[name]`, as a training loop does it; None: the gradients that were returned last.

        In place, so that a net that works with copies of its parameters keeps the old ones, and is seen to.
        """
        grads = self._grads if grads is None else {name: np.asarray(g) for name, g in grads.items()}
        if grads is None:
            raise NetError("update without gradients; call gradient first")
        missing = [name for name in self.names if name not in grads]
        if missing:
            raise NetError(f"update has no gradient of {', '.join(missing)}")
        with calling("update: params[name] -= lr * grads[name]"):
            own, lr = params_of(self._net), float(lr)
            for name in self.names:
                own[name] -= lr * grads[name]

    def step(self, x: npt.ArrayLike, t: npt.ArrayLike, lr: float) -> Step:
        """`gradient`, `update` and `loss` on one batch; the loss is handed the same arrays as the gradient."""
        batch = _Batch(x, t)
        grads = self._gradient(batch).grads
        self.update(None, lr)
        value = self._guarded("loss", batch, lambda: number("loss", self._net.loss(*batch.given)))
        self.breaches = tuple(dict.fromkeys(batch.breaches))
        return Step(grads, value, self.breaches)

    def accuracy(self, x: npt.ArrayLike, t: npt.ArrayLike) -> float:
        """The share of rows of x that are classified as t says: by `accuracy`, or by `predict` where the net has no other."""
        self.breaches = ()
        return in_parts(self._accuracy, x, t)

    def losses(self, name: str, indices: Sequence[int], offsets: Sequence[float], x: npt.ArrayLike, t: npt.ArrayLike) -> Array:
        """The losses (index, offset) with one element of the parameter `name` moved: `flat[index]` becomes `flat[index] + offset`.

        The sum is made in float64 and rounded to the parameter's dtype. The element has its own bits again at the end, whatever happens.
        """
        if name not in self.names:
            raise NetError(f"there is no parameter {name!r}; the net has {', '.join(self.names)}")
        batch = _Batch(x, t)

        def moved() -> list[Array]:
            a = self._arrays()[name]
            return [value for index in indices for value in self._moved(a, int(index), offsets, batch)]

        values = self._guarded("loss", batch, moved)
        self.breaches = tuple(batch.breaches)
        return np.array(values).reshape(len(indices), len(offsets))

    def _moved(self, a: Array, index: int, offsets: Sequence[float], batch: _Batch) -> list[Array]:
        if not 0 <= index < a.size:
            raise NetError(f"there is no element {index} in a parameter of {a.size}")
        kept = a.flat[index]
        values = []
        try:
            for offset in offsets:
                a.flat[index] = float(kept) + float(offset)
                values.append(number("loss", self._net.loss(*batch.given)))
            return values
        finally:
            a.flat[index] = kept

    def _gradient(self, batch: _Batch) -> Gradients:
        self._grads = None
        grads = self._guarded("gradient", batch, lambda: by_name(self._net.gradient(*batch.given), self._arrays()))
        self._grads = grads
        self.breaches = tuple(batch.breaches)
        return Gradients(grads, self.breaches)

    def _accuracy(self, x: Array, t: Array) -> float:
        batch = _Batch(x, t)
        if callable(getattr(self._net, "accuracy", None)):
            right = self._guarded("accuracy", batch, lambda: number("accuracy", self._net.accuracy(*batch.given)))
        elif callable(getattr(self._net, "predict", None)):
            right = self._guarded("predict", batch, lambda: share(self._net.predict(batch.given[0]), t))
        else:
            raise NetError(f"{type_name(self._net)} has neither accuracy(x, t) nor predict(x)")
        self.breaches = tuple(dict.fromkeys([*self.breaches, *batch.breaches]))
        return float(right)

    def _guarded(self, method: str, batch: _Batch, call: Callable[[], T]) -> T:
        """What `call` returns. That the net changes its batch or its parameters meanwhile is noted; it gets the batch back as it was."""
        with calling(method):
            before = {name: a.copy() for name, a in self._arrays().items()}
            result = call()
            changed = [name for name, a in self._arrays().items() if not same_bits(a, before[name])]
        batch.breaches += [Breach("params.unchanged", f"{method} changed params[{name!r}]") for name in changed]
        batch.renew(method)
        return result

    def _arrays(self) -> Arrays:
        """The net's own arrays, none missing."""
        own = params_of(self._net)
        for name in self.names:
            if name not in own:
                raise NetError(f"params has lost {name!r}")
        return {name: parameter(name, own[name]) for name in self.names}


class _Batch:
    """Copies of x and t to hand to the net, and the contracts it has broken with them. The same two arrays until it changes one."""

    def __init__(self, x: npt.ArrayLike, t: npt.ArrayLike) -> None:
        self._originals = {"x": np.asarray(x), "t": np.asarray(t)}
        self.given = [a.copy() for a in self._originals.values()]
        self.breaches: list[Breach] = []

    def renew(self, method: str) -> None:
        for i, (name, original) in enumerate(self._originals.items()):
            if not same_bits(self.given[i], original):
                self.breaches.append(Breach("inputs.unchanged", f"{method} wrote into {name}"))
                self.given[i] = original.copy()


def made(thing: Any, args: Sequence[int | float] = (), dtype: npt.DTypeLike | None = None) -> NetSubject:
    """The net that `thing` is, or that it makes of `args`: a class, a function, or a net already. Raises NetError.

    dtype: of all parameters; handed over where there is an argument of that name, else they are cast. None: as the net makes them.
    """
    if isinstance(thing, type) or (callable(thing) and not hasattr(thing, "params")):
        name = getattr(thing, "__name__", type_name(thing))
        named = {} if dtype is None or not _takes_dtype(thing) else {"dtype": np.dtype(dtype).type}
        with calling(f"{name}({', '.join([*map(repr, args), *[f'{k}={v.__name__}' for k, v in named.items()]])})"):
            thing = thing(*args, **named)
        if thing is None:
            raise NetError(f"{name} returned None, not a net")
    elif args:
        raise NetError(f"{type_name(thing)} is a net already and takes no arguments; leave {', '.join(map(str, args))} out")
    net = NetSubject(thing)
    if dtype is not None:
        net.assign({name: a.astype(dtype) for name, a in net.params().items()})
    return net


def _takes_dtype(thing: Callable[..., Any]) -> bool:
    try:
        found = inspect.signature(thing).parameters.get("dtype")
    except (TypeError, ValueError):
        return False
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)
