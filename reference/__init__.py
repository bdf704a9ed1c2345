"""The layers under judgement: NumPy only, forward and backward written out by hand.

Every public class and function of the modules of this package is offered here, so `from reference import Relu` works
and a new layer needs no export line. A name that starts with an underscore, on a module or inside one, stays private.
"""

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any


def _public_names() -> dict[str, Any]:
    """Collect the classes and functions that the public modules of this package define themselves."""
    found: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, value in vars(module).items():
            defines = inspect.isclass(value) or inspect.isfunction(value)
            # NumPy's and typing's names are visible in a module too; only what it defines is its to offer.
            if defines and not name.startswith("_") and value.__module__ == module.__name__:
                found[name] = value
    return found


_exports = dict(sorted(_public_names().items()))
globals().update(_exports)
__all__ = list(_exports)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Tell a type checker that names beyond the modules exist; it cannot run the search above."""
