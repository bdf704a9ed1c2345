"""The bindings, one module per family, with the file names of `reference/`.

A LayerSpec constant in any of them is a spec; there is no list.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from oracle.core.spec import LayerSpec


class UnknownLayerError(Exception):
    """A name that no spec has."""


@functools.cache
def all_specs() -> dict[str, LayerSpec]:
    """Every spec by name, in the order of the modules and of their lines."""
    found: dict[str, LayerSpec] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, LayerSpec):
                found.setdefault(value.name, value)
    return found


def spec_named(name: str) -> LayerSpec:
    """The spec called `name`; case and underscores do not matter. Raises UnknownLayerError naming what there is."""
    specs = all_specs()
    folded = {key.replace("_", "").lower(): key for key in specs}
    key = folded.get(name.replace("_", "").lower())
    if key is None:
        raise UnknownLayerError(f"no layer is called {name!r}; there are {', '.join(specs)}")
    return specs[key]
