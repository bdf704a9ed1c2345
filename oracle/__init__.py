"""The judge. `check` judges a layer from Python; `Adapter` covers a calling convention of your own. Both are imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oracle.api import check
    from oracle.subjects.adapter import Adapter

__all__ = ["Adapter", "check"]

_WHERE = {"check": "oracle.api", "Adapter": "oracle.subjects.adapter"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'oracle' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_WHERE[name]), name)
