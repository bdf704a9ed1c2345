"""What people call things: parameters, gradients, forward and backward, and the arguments of these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

FORWARD = ("forward", "fprop", "forward_pass", "feedforward", "feed_forward", "fwd")
BACKWARD = ("backward", "bprop", "backward_pass", "backprop", "backpropagate", "bwd", "grad", "gradient")
DERIVATIVE = ("prime", "derivative", "deriv", "grad", "gradient", "dx")
FLAGS = ("grad", "deriv", "derivative", "prime", "gradient", "derive")
OUTPUT = ("output", "out", "outputs", "y", "loss", "a")
TRAINING = ("training", "train", "istraining", "trainflg", "trainflag", "mode")

_SAME = {
    "W": ("w", "weight", "weights", "kernel"),
    "b": ("b", "bias", "biases"),
    "x": ("x", "inputs", "input", "aprev", "z", "logits", "scores"),
    "t": ("t", "ytrue", "target", "targets", "labels", "label", "y"),
    "y": ("y", "other"),
}
_KEYS = {
    "dout": ("dout", "dvalues", "grad", "gradoutput", "gradout", "outgrad", "upstream", "delta", "g", "error", "dldout"),
    "cache": ("cache", "ctx", "context", "saved", "memo"),
    "out": ("out", "output", "outputs", "yhat", "ypred", "activation"),
}


def fold(name: str) -> str:
    """The name without case and underscores."""
    return name.replace("_", "").lower()


def aliases(name: str) -> tuple[str, ...]:
    """Folded spellings of the spec's name of an array."""
    return _SAME.get(name, (fold(name),))


def gradient_names(name: str) -> tuple[str, ...]:
    """Folded spellings of the gradient of `name`: dw, gradw, wgrad, dweights ..."""
    forms = ("d{}", "grad{}", "{}grad", "g{}", "{}gradient", "delta{}", "dld{}", "dlossd{}", "d{}s")
    return tuple([form.format(alias) for alias in aliases(name) for form in forms])


def partner(name: str, endings: Sequence[str], namespace: Iterable[str]) -> list[str]:
    """The names in `namespace` that are `name` with one of `endings` before or after it, in their order; `f` has `df` and `dfdx`."""
    stem = fold(name).removesuffix("forward").removesuffix("fwd")
    wanted = [form for end in endings for form in (stem + end, end + stem)] + ["d" + stem, f"d{stem}dx"]
    folded = {fold(other): other for other in namespace if other != name}
    return [folded[form] for form in dict.fromkeys(wanted) if form in folded]


def arguments(function: Callable[..., Any]) -> tuple[list[str], list[str]] | None:
    """Names of the positional arguments: the required ones, and all. None where Python does not know them."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    placed = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [p.name for p in placed]
    if any(p.kind is p.VAR_POSITIONAL for p in found):
        names.append("*")
    return [p.name for p in placed if p.default is p.empty], names


def bind(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Which of `known` each argument gets: by its name where it has one of ours, else the first that is left.

    Raises ValueError where there are more arguments than things to hand over.
    """
    if len(names) > len(known):
        raise ValueError(f"it wants {len(names)} arguments ({', '.join(names)}); there is only {', '.join(known)}")
    taken: dict[int, str] = {}
    for i, name in enumerate(names):
        exact = [key for key in known if fold(key) == fold(name)]
        like = [key for key in known if fold(name) in _KEYS.get(key, ()) or fold(name) in aliases(key)]
        key = next((key for key in (*exact, *like) if key not in taken.values()), None)
        if key is not None:
            taken[i] = key
    left = [key for key in known if key not in taken.values()]
    return [taken[i] if i in taken else left.pop(0) for i in range(len(names))]


def callables(thing: Any, names: Sequence[str]) -> list[str]:
    """The attributes of `thing` called like one of `names` that can be called, in the order of `names`."""
    folded = {fold(n): n for n in dir(thing) if not n.startswith("_")}
    return [folded[fold(n)] for n in names if fold(n) in folded and callable(getattr(thing, folded[fold(n)], None))]


def reason(error: BaseException) -> str:
    """The exception in one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"


def is_function(thing: Any) -> bool:
    """Whether `thing` is a function rather than a class or a layer that can be called."""
    return callable(thing) and not isinstance(thing, type) and not callables(thing, (*FORWARD, *BACKWARD))
