"""Calling conventions: from arrays by name to calls of the object under judgement, and back to results in the spec's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from oracle.core.case import Case
from oracle.core.spec import Signature
from oracle.subjects.conventions.classic import CONVENTIONS, SCALAR_FUNCTIONS, Subject, subject_of

__all__ = ["CONVENTIONS", "SCALAR_FUNCTIONS", "Connection", "ConventionError", "Subject", "connect", "subject_of"]


class ConventionError(Exception):
    """No calling convention fits, or the one asked for does not: what was tried, and why it failed."""


class Connection(NamedTuple):
    """A subject behind its calling convention.

    convention: its name. details: what was found out, in words: "weights (out, in), gradients in .grads". forward_only: why there
    are no gradients to judge; empty where there are.
    """

    subject: Subject
    convention: str
    details: str
    forward_only: str


def connect(
    signature: Signature, name: str, namespace: Mapping[str, Any], samples: Sequence[Case], convention: str | None = None
) -> Connection:
    """The object `name` of `namespace` as a layer of `signature`, called by `convention`, or by the one that fits it.

    samples: benign cases of the spec to try it on, float64 with sizes that all differ. Raises ConventionError.
    """
    chosen = convention or signature.convention
    return Connection(CONVENTIONS[chosen](signature, namespace[name]), chosen, "", "")
