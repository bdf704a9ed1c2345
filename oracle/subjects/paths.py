"""Statements that change `sys.path`, understood without being run: the working folder of the process is not the notebook's."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_JOINED = {"os.path.join", "Path", "pathlib.Path", "str", "os.fspath", "os.path.normpath", "os.path.expanduser", "os.path.relpath"}
_ABSOLUTE = {"os.path.abspath", "os.path.realpath"}
_METHODS = ("resolve", "absolute")
_HERE = {"os.getcwd", "Path.cwd", "pathlib.Path.cwd"}


def dotted(node: ast.expr) -> str | None:
    """`a.b.c` of a chain of attributes on a name; None of anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def added_paths(stmt: ast.stmt, names: Mapping[str, Any], folder: str) -> list[str] | None:
    """The folders that `sys.path.append(...)`, `insert(0, ...)`, `extend([...])` or `+= [...]` adds, relative to `folder`.

    None where the statement is another one. A folder that is not understood is left out.
    """
    if isinstance(stmt, ast.AugAssign) and dotted(stmt.target) == "sys.path":
        given: list[ast.expr] = [stmt.value]
    elif isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call):
        call = dotted(stmt.value.func)
        if call not in ("sys.path.append", "sys.path.insert", "sys.path.extend"):
            return None
        given = stmt.value.args[1 if call == "sys.path.insert" else 0 :]
    else:
        return None
    entries = [e for node in given for e in (node.elts if isinstance(node, ast.List | ast.Tuple) else [node])]
    paths = [path_of(entry, names, folder) for entry in entries]
    return [os.path.abspath(os.path.join(folder, path)) for path in paths if path is not None]


def add(paths: list[str]) -> None:
    """Search `paths` for modules, after what is searched already."""
    sys.path.extend(path for path in paths if path not in sys.path)


def path_of(node: ast.expr, names: Mapping[str, Any], folder: str) -> str | None:
    """The path that an expression of strings, `os.path` and `pathlib` means in `folder`; None where it is not understood."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        left, right = path_of(node.left, names, folder), path_of(node.right, names, folder)
        if left is None or right is None:
            return None
        return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
    if isinstance(node, ast.Call):
        return _call(node, names, folder)
    name = dotted(node)
    if name in ("os.pardir", "os.curdir", "os.sep"):
        return str(getattr(os, name[3:]))
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        inner = path_of(node.value, names, folder)
        return None if inner is None else os.path.dirname(os.path.abspath(os.path.join(folder, inner)))
    value = names.get(name) if name else None
    return os.fspath(value) if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str) else None


def assigned_path(stmt: ast.stmt, names: Mapping[str, Any], folder: str) -> tuple[str, Any] | None:
    """Name and value of `here = os.path.abspath("..")` and the like, as they are in `folder`; None of other statements."""
    if not (isinstance(stmt, ast.Assign) and len(stmt.targets) == 1 and isinstance(stmt.targets[0], ast.Name)):
        return None
    functions = [node.func for node in ast.walk(stmt.value) if isinstance(node, ast.Call)]
    calls = {dotted(function) for function in functions}
    made_absolute = any(isinstance(function, ast.Attribute) and function.attr in _METHODS for function in functions)
    if not made_absolute and not calls & (_ABSOLUTE | _HERE):
        return None
    path = path_of(stmt.value, names, folder)
    made_by = (dotted(stmt.value.func) or "Path") if isinstance(stmt.value, ast.Call) else "Path"
    text = made_by.startswith(("str", "os.")) or not any("Path" in (call or "") for call in calls)
    return None if path is None else (stmt.targets[0].id, path if text else Path(path))


def _call(node: ast.Call, names: Mapping[str, Any], folder: str) -> str | None:
    name = dotted(node.func)
    if name in _HERE:
        return folder
    if name is None and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
        inner = path_of(node.func.value, names, folder)
        return None if inner is None else os.path.abspath(os.path.join(folder, inner))
    arguments = [path_of(argument, names, folder) for argument in node.args]
    parts = [part for part in arguments if part is not None]
    if len(parts) < len(arguments):
        return None
    if name in _JOINED:
        return os.path.join(*parts) if parts else "."
    if name in _ABSOLUTE and len(parts) == 1:
        return os.path.abspath(os.path.join(folder, parts[0]))
    if name == "os.path.dirname" and len(parts) == 1:
        return os.path.dirname(parts[0])
    return None
