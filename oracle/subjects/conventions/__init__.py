"""Calling conventions: from arrays by name to calls of the object under judgement, and back to results in the spec's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from oracle.core.case import Case
from oracle.core.spec import Signature
from oracle.subjects.adapter import Adapter, AdapterSubject
from oracle.subjects.conventions.autograd import autograd_ways
from oracle.subjects.conventions.classic import CONVENTIONS, SCALAR_FUNCTIONS, Subject, subject_of
from oracle.subjects.conventions.functions import derivative_ways, function_ways, plain_ways
from oracle.subjects.conventions.objects import object_ways
from oracle.subjects.conventions.trial import Connection, ConventionError, Way, choose

__all__ = [
    "CONVENTIONS", "CONVENTION_NAMES", "SCALAR_FUNCTIONS", "Connection", "ConventionError", "Subject", "connect", "subject_of",
]  # fmt: skip

Ways = Callable[[Signature, str, Mapping[str, Any], list[Case]], Iterator[Way]]


def _objects(convention: str) -> Ways:
    return lambda signature, name, namespace, samples: object_ways(convention, signature, namespace[name], samples)


def _own(convention: str) -> Ways:
    """The conventions of two of our specs, which nothing else has."""

    def ways(signature: Signature, name: str, namespace: Mapping[str, Any], samples: list[Case]) -> Iterator[Way]:
        if signature.convention == convention:
            yield Way(Connection(CONVENTIONS[convention](signature, namespace[name]), convention, "", ""), name)

    return ways


def _adapter(signature: Signature, name: str, namespace: Mapping[str, Any], samples: list[Case]) -> Iterator[Way]:
    thing = namespace[name]
    if isinstance(thing, Adapter) or (isinstance(thing, type) and issubclass(thing, Adapter)):
        subject = AdapterSubject(signature, thing)
        yield Way(Connection(subject, "adapter", "", subject.forward_only), name)


_WAYS: dict[str, Ways] = {
    "adapter": _adapter,
    "layer": _objects("layer"),
    "functions": function_ways,
    "attributes": _objects("attributes"),
    "derivative": derivative_ways,
    "torch-like": _objects("torch-like"),
    "autograd": autograd_ways,
    "function": plain_ways,
    "gradient": _own("gradient"),
    "network": _own("network"),
}

CONVENTION_NAMES = tuple(_WAYS)
"""What may be asked for; of conventions that fit equally well, the earlier is taken."""


def connect(
    signature: Signature, name: str, namespace: Mapping[str, Any], samples: Sequence[Case], convention: str | None = None
) -> Connection:
    """The object `name` of `namespace` as a layer of `signature`, called by `convention`, or by the one that fits it.

    samples: benign cases of the spec to try it on, float64 with sizes that all differ. Raises ConventionError.
    """
    if convention is not None and convention not in _WAYS:
        raise ConventionError(f"there is no convention {convention!r}; choose from {', '.join(_WAYS)}")
    if name not in namespace:
        raise ConventionError(f"there is no {name!r} in what was loaded; name a class or function that it defines")
    if not samples:
        raise ConventionError("samples are empty; give at least one benign case to try the conventions on")
    ways: list[Way] = []
    absent = []
    for each in _candidates(signature, namespace[name], convention):
        found = list(_WAYS[each](signature, name, namespace, list(samples)))
        ways += found
        if not found:
            absent.append(each)
    return _told(choose(ways, signature, name, samples, absent), signature)


def _candidates(signature: Signature, thing: Any, convention: str | None) -> list[str]:
    if convention is not None:
        return [convention]
    if isinstance(thing, Adapter) or (isinstance(thing, type) and issubclass(thing, Adapter)):
        return ["adapter"]
    if signature.convention in ("gradient", "network"):
        return [signature.convention]
    plain = ["function"] if not signature.wrt else []
    return plain + [each for each in _WAYS if each not in ("adapter", "gradient", "network", *plain)]


def _told(connection: Connection, signature: Signature) -> Connection:
    """The connection with the places of its gradients in its details, now that it has been tried."""
    places = [] if connection.forward_only or not signature.wrt else getattr(connection.subject, "places", [])
    if not places:
        return connection
    return connection._replace(details="; ".join([*filter(None, [connection.details]), f"gradients in {', '.join(places)}"]))
