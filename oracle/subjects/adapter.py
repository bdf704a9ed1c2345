"""`Adapter`: a few lines for a layer that is called in no known way."""

from __future__ import annotations

from typing import Any

from oracle.core.case import Arrays
from oracle.core.observe import SubjectError
from oracle.core.spec import Signature
from oracle.subjects.conventions.names import arguments


class Adapter:
    """How to call a layer of yours. Subclass it, say what it is `like`, and write what differs:

        class MyDense(Adapter):
            like = "Affine"
            def start(self, W, b): return Dense(W.T, b)
            def forward(self, layer, x): return layer(x)
            def backward(self, layer, dout): return layer.grad(dout), layer.gW.T, layer.gb

    like: the spec that it is judged against. Arrays are handed over in the spec's names, order and layout, and results are expected so.
    Hand over views (W.T) rather than copies, so that a layer that writes into them is found out.
    Without `backward` only forward is judged.
    """

    like: str = ""

    def start(self, *params: Any) -> Any:
        """A fresh object with these parameters; it is handed to `forward` and `backward`. By default None, for functions."""
        return None

    def forward(self, layer: Any, *inputs: Any) -> Any:
        """The forward result, or a tuple of them."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward(self, layer, ...)")

    def backward(self, layer: Any, *cotangents: Any) -> Any:
        """The gradients of the inputs, then of the parameters: one, or a tuple of them."""
        raise NotImplementedError(f"{type(self).__name__} has no backward(self, layer, dout)")


class AdapterSubject:
    """An Adapter as a subject."""

    def __init__(self, signature: Signature, adapter: type[Adapter] | Adapter) -> None:
        self._adapter = adapter() if isinstance(adapter, type) else adapter
        self._signature = signature
        found = arguments(self._adapter.start)
        # parameters go by name where start has the spec's own names
        self._by_name = found is not None and bool(signature.params) and set(found[1]) == set(signature.params)

    @property
    def forward_only(self) -> str:
        """Why there are no gradients; empty where there are."""
        missing = bool(self._signature.wrt) and type(self._adapter).backward is Adapter.backward
        return f"{type(self._adapter).__name__} has no backward" if missing else ""

    def start(self, params: Arrays, config: Any) -> Any:
        return self._adapter.start(**params) if self._by_name else self._adapter.start(*params.values())

    def forward(self, state: Any, inputs: Arrays) -> tuple[Any, ...]:
        returned = self._adapter.forward(state, *[a[()] if a.ndim == 0 else a for a in inputs.values()])
        return _as_many(returned, self._signature.outputs, "forward")

    def backward(self, state: Any, cotangents: Arrays) -> tuple[Any, ...]:
        if self.forward_only:
            return ()
        returned = self._adapter.backward(state, *[a[()] if a.ndim == 0 else a for a in cotangents.values()])
        return _as_many(returned, self._signature.wrt, "backward")


def _as_many(returned: Any, names: tuple[str, ...], method: str) -> tuple[Any, ...]:
    results = tuple(returned) if isinstance(returned, (tuple, list)) else (returned,)
    if len(results) != len(names):
        raise SubjectError(f"the Adapter's {method} returned {len(results)} result(s) for {', '.join(names)}")
    return results
