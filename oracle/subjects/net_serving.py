"""The subject's end of a net in a process of its own: it makes the net, and answers one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oracle.subjects.guard import sentence, words
from oracle.subjects.loaded import Loaded, LoadError
from oracle.subjects.net_finding import net_in
from oracle.subjects.net_values import NetError, calling
from oracle.subjects.net_wire import Answer, Refusal
from oracle.subjects.nets import NetSubject, made


class Serving:
    """Answers `make`, and then the methods of NetSubject. The target is loaded with `namespace` by the first."""

    def __init__(self, namespace: Callable[[], Loaded]) -> None:
        self._namespace = namespace
        self._net: NetSubject | None = None

    def answer(self, method: str, arguments: Sequence[Any]) -> Answer | Refusal:
        """What the net answers, or why it does not. Raises nothing that the net has raised."""
        try:
            if method == "make":
                self._make(*arguments)
                return _params(self._made())
            return _METHODS[method](self._made(), *arguments)
        except (LoadError, NetError) as error:
            return Refusal(words(error)[1])
        except BaseException as error:
            # what the net raises on its way out of a NetError, or an interruption of its own
            return Refusal(f"{method} raised {sentence(error)}")

    def _make(self, name: str | None, args: Sequence[int | float], dtype: str | None, seed: int | None) -> None:
        loaded = self._namespace()
        with calling("looking for the net"):
            thing = net_in(loaded, name)
        if seed is not None:
            np.random.seed(seed % 2**32)
        self._net = made(thing, args, dtype)

    def _made(self) -> NetSubject:
        if self._net is None:
            raise NetError("the net has not been made")
        return self._net


def _params(net: NetSubject) -> Answer:
    return Answer(net.names, tuple(net.params().values()))


def _gradient(net: NetSubject, *batch: Any) -> Answer:
    grads, breaches = net.gradient(*batch)
    return Answer((), tuple(grads.values()), breaches)


def _step(net: NetSubject, *arguments: Any) -> Answer:
    grads, loss, breaches = net.step(*arguments)
    return Answer((), (*grads.values(), loss), breaches)


def _array(method: str) -> Callable[..., Answer]:
    """A method that returns one array or number."""

    def answer(net: NetSubject, *arguments: Any) -> Answer:
        value = np.asarray(getattr(net, method)(*arguments))
        return Answer((), (value,), net.breaches)

    return answer


def _nothing(method: str) -> Callable[..., Answer]:
    """A method that returns nothing."""

    def answer(net: NetSubject, *arguments: Any) -> Answer:
        getattr(net, method)(*arguments)
        return Answer()

    return answer


_METHODS: dict[str, Callable[..., Answer]] = {
    "params": _params,
    "gradient": _gradient,
    "step": _step,
    **{method: _array(method) for method in ("loss", "losses", "accuracy")},
    **{method: _nothing(method) for method in ("assign", "update")},
}
