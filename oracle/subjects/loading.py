"""Executing a file, a module or the definitions of a notebook, to get at the layers in it. Runs in the subject's own process."""

from __future__ import annotations

import runpy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from oracle.subjects.target import Target


class LoadError(Exception):
    """A target that cannot be loaded: what happened, and where."""


class Loaded(NamedTuple):
    """What a target holds.

    defined: the names of the classes and functions that it defines itself, in order. missing: a definition that could not be loaded,
    and the reason. notes: what was left out, a line each.
    """

    namespace: Mapping[str, Any]
    defined: tuple[str, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...]


def load(target: Target, search_path: Sequence[str] = ()) -> Loaded:
    """Load `target`; imports resolve beside it and under `search_path`. Raises LoadError."""
    try:
        namespace = runpy.run_path(target.where, run_name="subject")
    except Exception as error:
        raise LoadError(f"{type(error).__name__}: {error}") from error
    defined = tuple(n for n, v in namespace.items() if getattr(v, "__module__", None) == "subject" and not n.startswith("_"))
    return Loaded(namespace, defined, {}, ())
