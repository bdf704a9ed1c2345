"""Planted faults: deliberately broken layers that this very run has to convict, on its own cases, so that it is known to see.

Each is a layer that answers with torch's results and is spoiled in one way. It counts as convicted where it fails a row that its fault
belongs to, on a case that the same layer passes unspoiled. Adding one touches one place: a class in the module of its family.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oracle.core.spec import LayerSpec
from oracle.results.model import Planted

# imported for the faults in them, in the order in which they are told
from oracle.search.planted import (  # noqa: F401
    boundaries,
    forms,
    gradients,
    handling,
    labels,
    memory,
    precision,
    state,
    values,
)
from oracle.search.planted.registry import Fault, faults_of
from oracle.search.planted.scope import Scope

__all__ = ["Fault", "n_planted", "planted_faults", "planted_in"]


def planted_faults(spec: LayerSpec, dtypes: Sequence[str]) -> list[Fault]:
    """The faults that are planted in a layer judged by `spec` in `dtypes`. Needs no torch, unless the spec is made of a torch function."""
    scope = Scope(spec, dtypes)
    found = faults_of(scope)
    if spec.function is None:
        return found
    from oracle.search.planted.vetting import real

    return real(scope, found)


def n_planted(spec: LayerSpec, dtypes: Sequence[str]) -> int:
    """How many records `planted_in` gives."""
    return len(planted_faults(spec, dtypes))


def planted_in(spec: LayerSpec, label: str, seed: int, dtypes: Sequence[str], examples: int) -> Iterator[Planted]:
    """Judge every planted fault on the first cases of the run, and tell what became of it, under the layer's name `label`."""
    from oracle.search.planted.trial import tried

    yield from tried(spec, planted_faults(spec, dtypes), label, seed, dtypes, examples)
