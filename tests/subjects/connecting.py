"""Connecting a layer of a test, and the rows that it fails."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracle.core.draw import calm_case
from oracle.core.judge import judge
from oracle.specs import spec_named
from oracle.subjects.conventions import Connection, connect


def samples(spec: str, *branches: str) -> list[Any]:
    """Benign cases of the spec, two of every branch."""
    bound = spec_named(spec)
    return [calm_case(bound, np.random.default_rng(i), branch) for i in range(2) for branch in branches or bound.branches]


def connected(spec: str, name: str, namespace: dict[str, Any], convention: str | None = None) -> Connection:
    return connect(spec_named(spec).signature, name, namespace, samples(spec), convention)


def object_connected(spec: str, thing: Any, convention: str | None = None) -> Connection:
    """`thing` alone in its namespace."""
    called = getattr(thing, "__name__", "made")
    return connected(spec, called, {called: thing}, convention)


def found(spec: str, connection: Connection, branch: str, dtype: str = "float64") -> set[str]:
    """The rows that fail on fresh benign cases in the protocols that need no prior one."""
    bound = spec_named(spec)
    cases = [calm_case(bound, np.random.default_rng(100 + i), branch, dtype) for i in range(5)]
    if bound.wrt:
        cases += [case._replace(protocol="backward-twice") for case in cases]
    return {f.name for case in cases for f in judge(bound, connection.subject, case).findings}


def findings(spec: str, connection: Connection, case: Any) -> set[str]:
    return {f.name for f in judge(spec_named(spec), connection.subject, case).findings}
