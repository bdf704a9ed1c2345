"""The bindings, one module per family, with the file names of `reference/`.

A LayerSpec constant in any of them is a spec; there is no list.
"""

from __future__ import annotations

import difflib
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
    wanted = name.replace("_", "").lower()
    key = folded.get(wanted)
    if key is None:
        near = difflib.get_close_matches(wanted, folded, n=1)
        hint = f" Did you mean {folded[near[0]]}?" if near else ""
        raise UnknownLayerError(f"no layer is called {name!r}; there are {', '.join(specs)}.{hint}")
    return specs[key]
