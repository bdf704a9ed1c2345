"""Which code was judged: a digest that changes with it, made without running any of it."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from oracle.search.entrant import Entrant
from oracle.subjects.target import Target

DIGITS = 16


def source_of(entrant: Entrant) -> str:
    """The digest of the entrant's code; empty where it cannot be had.

    Of our own layers it covers the module of the layer and those of ours that it imports. Of a subject it covers its file or notebook,
    not what that imports. A module by name is looked for where its imports are, without importing it.
    """
    return _of_layer(entrant) if entrant.target is None else source_at(entrant.target, entrant.search_path)


def source_at(target: Target, search_path: Sequence[str]) -> str:
    """The digest of the code at a target of the user's; empty where it cannot be had."""
    path = _file_of(target.where, search_path) if target.kind == "module" else Path(target.where)
    return "" if path is None else _digest([path])


def source_of_ours(module: ModuleType) -> str:
    """The digest of a module of ours and of those that it imports."""
    return _digest(sorted(_closure(module)))


def _of_layer(entrant: Entrant) -> str:
    module = inspect.getmodule(entrant.whole().layer)
    if module is None or not module.__name__.startswith("reference"):
        # the layer is the caller's own, and what was checked is found by `check`
        return ""
    return source_of_ours(module)


@cache
def _closure(module: ModuleType) -> frozenset[Path]:
    """The files of `module` and of the modules of its package that it imports, directly or not."""
    package = module.__name__.partition(".")[0]
    files: dict[str, Path] = {}
    waiting = [module.__name__]
    while waiting:
        name = waiting.pop()
        found = find_spec(name)
        if name in files or found is None or found.origin is None:
            continue
        files[name] = Path(found.origin)
        for node in ast.walk(ast.parse(files[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == package:
                waiting.append(node.module)
    return frozenset(files.values())


def _file_of(module: str, search_path: Sequence[str]) -> Path | None:
    parts = module.split(".")
    for folder in search_path:
        base = Path(folder).joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            return ""
    return digest.hexdigest()[:DIGITS]
