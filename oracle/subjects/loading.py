"""Executing a file, a module or the definitions of a notebook, to get at the layers in it. Runs in the subject's own process."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from oracle.subjects.loaded import Loaded, LoadError, defined_names
from oracle.subjects.notebook import load_notebook
from oracle.subjects.target import Target
from oracle.subjects.troubles import sentence

__all__ = ["LoadError", "Loaded", "load"]


def load(target: Target, search_path: Sequence[str] = ()) -> Loaded:
    """Load `target`; imports resolve beside it, under `search_path`, and in the folder above. Raises LoadError.

    Changes `sys.path`, `sys.modules` and `sys.argv` for good: functions import when they are called, too.
    """
    # the folder of the user is not to be littered with __pycache__
    sys.dont_write_bytecode = True
    sys.argv = [target.where]
    paths = [os.path.abspath(path) for path in search_path]
    if target.kind == "module":
        sys.path[:0] = paths
        return _load_module(target.where, paths)
    folder = os.path.dirname(target.where)
    return _load_beside(target, [folder, *paths, os.path.dirname(folder)])


def _load_beside(target: Target, searched: list[str]) -> Loaded:
    """A file or notebook. The books' repositories import from the folder above, so that is searched too, last of all."""
    sys.path[:0] = searched[:-1]
    sys.path.append(searched[-1])
    name = os.path.basename(target.where)
    try:
        if target.kind == "notebook":
            return load_notebook(target.where, _free_name(target.where, beside=True), searched)
        tree = _parse(_read(target.where), target.where)
        package = _package(tree, target.where)
        if package:
            sys.path.append(package[0])
            return _load_module(package[1], [*searched, package[0]])
        return _execute(tree, target.where)
    except LoadError:
        raise
    except BaseException as error:
        raise LoadError(sentence(error, name, lambda file: file == target.where, searched)) from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise LoadError(f"{os.path.basename(path)} cannot be read: {error.strerror}") from error


def _parse(source: bytes, path: str) -> ast.Module:
    # bytes, so that a byte order mark and a coding line are honoured
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, path)


def _execute(tree: ast.Module, path: str) -> Loaded:
    """Run a file as a module of its own name: dataclasses and pickle look their module up."""
    name = _free_name(path, beside=False)
    spec = importlib.machinery.ModuleSpec(name, importlib.machinery.SourceFileLoader(name, path), origin=path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(tree, path, "exec", dont_inherit=True)
    sys.modules[name] = module
    exec(code, vars(module))
    return Loaded(vars(module), defined_names(vars(module), name), {}, ())


def _free_name(path: str, beside: bool) -> str:
    """A module name made of the file's own; another where that would hide a module: one in use, or (`beside`) one that can be imported.

    A notebook `layers.ipynb` may well import from `layers.py`, while a file is what its own name means.
    """
    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    name = f"_{name}" if not name or name[0].isdigit() else name
    there = sys.modules.get(name)
    taken = there is not None and getattr(there, "__file__", None) != path
    return f"{name}_subject" if taken or (beside and importlib.machinery.PathFinder.find_spec(name)) else name


def _package(tree: ast.Module, path: str) -> tuple[str, str] | None:
    """(folder to search, dotted name) of a file that imports relatively and so must be loaded as a part of its package; None of others."""
    levels = [node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    if not levels:
        return None
    root, stem = os.path.split(os.path.splitext(path)[0])
    parts: list[str] = [] if stem == "__init__" else [stem]
    depth = 0
    while depth < max(levels) or os.path.isfile(os.path.join(root, "__init__.py")):
        root, folder = os.path.split(root)
        if not folder:
            break
        parts.insert(0, folder)
        depth += 1
    return root, ".".join(parts)


def _load_module(name: str, searched: Sequence[str]) -> Loaded:
    tail = name.replace(".", "/")
    try:
        module = importlib.import_module(name)
    except BaseException as error:
        raise LoadError(sentence(error, name, lambda file: _ends(file, tail), searched)) from error
    if not isinstance(module, ModuleType):
        raise LoadError(f"{name} puts a {type(module).__name__} in its own place in sys.modules; name the file instead")
    return Loaded(vars(module), defined_names(vars(module), module.__name__), {}, ())


def _ends(file: str, tail: str) -> bool:
    return file.replace(os.sep, "/").endswith((f"/{tail}.py", f"/{tail}/__init__.py"))
