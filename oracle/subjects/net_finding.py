"""Which definition of a target is the net: the one that is named, or the only one that looks like a net."""

from __future__ import annotations

from typing import Any

from oracle.subjects.loaded import Loaded
from oracle.subjects.net_values import NetError

_METHODS = ("gradient", "loss")


def net_in(loaded: Loaded, name: str | None) -> Any:
    """The class, function or net called `name`; None: the only class or net with `gradient` and `loss`. Raises NetError."""
    if name is not None:
        return _named(loaded, name)
    own = [n for n in loaded.defined if _like_a_net(loaded.namespace[n], True)]
    others = [n for n, value in loaded.namespace.items() if not n.startswith("_") and _like_a_net(value, False)]
    found = [*own, *others]
    if len(found) == 1:
        return loaded.namespace[found[0]]
    if found:
        raise NetError(f"there are {len(found)} nets in it: {', '.join(found)}; add the name of one to the target, as in :{found[0]}")
    there = f"; there are {', '.join(loaded.defined)}" if loaded.defined else ""
    lost = "".join([f"; {why}" for why in list(loaded.missing.values())[:3]])
    raise NetError(
        f"there is no class with the methods {' and '.join(_METHODS)} in it{there}{lost}; name what makes the net, as in :make_net"
    )


def _named(loaded: Loaded, name: str) -> Any:
    first, *inner = name.split(".")
    if first in loaded.missing:
        raise NetError(loaded.missing[first])
    if first not in loaded.namespace:
        raise NetError(f"there is no {first!r} in it; there are {', '.join(loaded.defined) or 'no public classes or functions'}")
    value = loaded.namespace[first]
    for part in inner:
        if not hasattr(value, part):
            raise NetError(f"{first} has no {part!r}")
        first, value = f"{first}.{part}", getattr(value, part)
    return value


def _like_a_net(value: Any, is_class: bool) -> bool:
    """Whether `value` is a class of nets, or a net; as `is_class` says."""
    if isinstance(value, type) is not is_class:
        return False
    return all(callable(getattr(value, method, None)) for method in _METHODS) and (is_class or hasattr(value, "params"))
