"""Which definitions of a target are to be judged, and as what: by their names, or as the user says."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from oracle.subjects.loaded import Loaded, LoadError, module_of
from oracle.subjects.synonyms import backward_stem, folded, forward_stem, spec_of

_UNKNOWN = "no layer of this kind is known; name one with --as"
_ADAPTERS = "oracle.subjects.adapter"


class Candidate(NamedTuple):
    """A definition by its name, the spec to judge it against (None: it is not judged), and why."""

    name: str
    spec: str | None
    why: str


def candidates(loaded: Loaded, spec_names: Sequence[str]) -> list[Candidate]:
    """Every public class and function of `loaded`, in order, with the spec that its name speaks of.

    A function that is the gradient of another one (`relu_backward`, `sigmoid_prime`) belongs to it and is not judged by itself.
    """
    return [_candidate(name, loaded, spec_names) for name in loaded.defined]


def wanted(loaded: Loaded, target_name: str | None, as_spec: str | None, spec_names: Sequence[str]) -> list[Candidate]:
    """What `TARGET[:Name] [--as SPEC]` asks for. Raises LoadError where that is not there, or more than one thing could be meant.

    With `as_spec` and no name: what is called like the spec, or else the only class (the only function, where there is no class).
    """
    spec = None if as_spec is None else spec_called(as_spec, spec_names)
    if target_name is not None:
        value = _value(loaded, target_name)
        found = _judged(target_name, value, loaded, spec_names)
        return [found if spec is None else Candidate(target_name, spec, "as asked")]
    found_here = candidates(loaded, spec_names)
    if spec is None:
        return found_here or _nothing(loaded)
    return [c._replace(why=f"as asked: {c.why}") for c in found_here if c.spec == spec] or [_only(loaded, found_here, spec, spec_names)]


def spec_called(name: str, spec_names: Sequence[str]) -> str:
    """The spec that a user means by `name`, by its own name or another one, in any case. Raises LoadError naming those there are."""
    found = _spec_by_name(name, spec_names, is_class=True)
    if found is None:
        raise LoadError(f"no layer is called {name!r}; there are {', '.join(spec_names)}{_meant(name, spec_names)}")
    return found


def _candidate(name: str, loaded: Loaded, spec_names: Sequence[str]) -> Candidate:
    return _judged(name, loaded.namespace[name], loaded, spec_names)


def _judged(name: str, value: Any, loaded: Loaded, spec_names: Sequence[str]) -> Candidate:
    if _is_adapter(value):
        return _adapted(name, value, spec_names)
    last = name.rpartition(".")[2]
    is_class = inspect.isclass(value)
    spec = _spec_by_name(last, spec_names, is_class)
    if spec is None:
        return Candidate(name, None, _gradient_of(last, loaded, spec_names) or _UNKNOWN)
    same = folded(last) == folded(spec)
    return Candidate(
        name, spec, ("its name" if same else f"{last} is another name of {spec}") + ("" if is_class else _partner(last, loaded))
    )


def _is_adapter(value: Any) -> bool:
    return inspect.isclass(value) and any(module_of(base) == _ADAPTERS for base in value.__mro__[1:])


def _adapted(name: str, value: Any, spec_names: Sequence[str]) -> Candidate:
    like = getattr(value, "like", None)
    if not isinstance(like, str) or not like:
        return Candidate(name, None, "an Adapter without `like`; set it to the name of a layer, or name one with --as")
    try:
        return Candidate(name, spec_called(like, spec_names), f"an Adapter like {like}")
    except LoadError as error:
        return Candidate(name, None, f"an Adapter like {like}: {error}")


def _spec_by_name(name: str, spec_names: Sequence[str], is_class: bool) -> str | None:
    """The spec that `name` speaks of; that of `relu` where it is `relu_forward`."""
    return spec_of(name, spec_names, is_class) or spec_of(forward_stem(name), spec_names, is_class)


def _stem(name: str) -> str:
    """What a forward function and its gradient have in common; nothing where it is called `forward`."""
    return "" if folded(name) == "forward" else forward_stem(name)


def _gradient_of(name: str, loaded: Loaded, spec_names: Sequence[str]) -> str | None:
    """That `name` is the gradient of another function of the target, or of a layer that is not there; None where it is none."""
    stem = backward_stem(name)
    if stem is None:
        return None
    forwards = [n for n in loaded.defined if n != name and _stem(n) == stem and not inspect.isclass(loaded.namespace[n])]
    if forwards:
        return f"partner of {forwards[0]}"
    spec = spec_of(stem, spec_names, is_class=False)
    return f"the gradient of {spec}, whose forward function is not there" if spec else None


def _partner(name: str, loaded: Loaded) -> str:
    """The gradient function of the function `name`, for the reason that is shown; empty where there is none."""
    here = [n for n in loaded.defined if n != name and backward_stem(n) == _stem(name) and not inspect.isclass(loaded.namespace[n])]
    lost = [reason for n, reason in loaded.missing.items() if n != name and backward_stem(n) == _stem(name)]
    return f", with {', '.join(here)}" if here else f"; its gradient is missing: {lost[0]}" if lost else ""


def _meant(name: str, names: Iterable[str]) -> str:
    near = {folded(there): there for there in names}
    close = difflib.get_close_matches(folded(name), near, n=1)
    return f"; did you mean {near[close[0]]}?" if close else ""


def _value(loaded: Loaded, name: str) -> Any:
    """The class or function called `name`, which may be dotted. Raises LoadError."""
    first, *inner = name.split(".")
    if first in loaded.missing:
        raise LoadError(loaded.missing[first])
    if first not in loaded.namespace:
        near = _meant(first, loaded.defined)
        raise LoadError(f"there is no {first!r} in it{near or _there(loaded)}")
    value = loaded.namespace[first]
    for part in inner:
        try:
            value = getattr(value, part)
        except Exception:
            raise LoadError(f"{first} has no {part!r}{_meant(part, [n for n in dir(value) if not n.startswith('_')])}") from None
        first = f"{first}.{part}"
    if not callable(value):
        raise LoadError(f"{name} is neither a class nor a function but of type {type(value).__name__}")
    return value


def _there(loaded: Loaded) -> str:
    return f"; there are {', '.join(loaded.defined)}" if loaded.defined else "; it defines no public class or function"


def _nothing(loaded: Loaded) -> list[Candidate]:
    reasons = "; ".join(list(loaded.missing.values())[:3])
    raise LoadError(f"there is no public class or function in it that could be judged{f': {reasons}' if reasons else ''}")


def _only(loaded: Loaded, found: Sequence[Candidate], spec: str, spec_names: Sequence[str]) -> Candidate:
    """The one definition that can be meant by `--as` alone. Raises LoadError."""
    for name, reason in loaded.missing.items():
        if spec_of(name, spec_names) == spec:
            raise LoadError(reason)
    classes = [c for c in found if inspect.isclass(loaded.namespace[c.name])]
    left = classes or [c for c in found if not c.why.startswith("partner of ")]
    if len(left) == 1:
        return Candidate(left[0].name, spec, "as asked: the only class" if classes else "as asked: the only function")
    if not left:
        _nothing(loaded)
    raise LoadError(f"which one is to be judged as {spec}? Add its name to the target, as in :{left[0].name}{_there(loaded)}")
