"""The definitions of a notebook: its cells, statement by statement, without what trains, plots or prints."""

from __future__ import annotations
import __future__

import ast
import linecache
import os
import re
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from oracle.subjects import paths
from oracle.subjects.cells import Parsed, parse_cell, read_cells
from oracle.subjects.loaded import Loaded, LoadError, defined_names
from oracle.subjects.needs import missing_need
from oracle.subjects.sieve import Definition, Sieve, bound, patched
from oracle.subjects.troubles import cut, told

MOST_NOTES = 200


def load_notebook(path: str, module: str, searched: Sequence[str] = ()) -> Loaded:
    """Run the imports, definitions and simple assignments of the code cells, in order, as a module named `module`.

    A cell has the number that Jupyter gives it when the notebook is run from its top; blank ones have none. searched: where local
    modules were looked for, for messages. Raises LoadError where the file is no Python notebook.
    """
    notebook = _Notebook(path, module, searched)
    for number, source in enumerate(read_cells(path), 1):
        notebook.cell(number, source)
    return notebook.loaded()


class _Notebook:
    """What has been run so far, and why other names are not there."""

    def __init__(self, path: str, module: str, searched: Sequence[str]) -> None:
        self._module = ModuleType(module)
        self._names = vars(self._module)
        self._stem, self._folder, self._searched = os.path.basename(path), os.path.dirname(path), searched
        self._sieve = Sieve(self._take)
        self._flags = 0
        self._notes: list[str] = []
        self._why: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._cell_of: dict[str, int] = {}
        sys.modules[module] = self._module

    def cell(self, number: int, source: str) -> None:
        """Run what is to be run of one cell."""
        filename = f"<{self._stem}, cell {number}>"
        try:
            parsed = parse_cell(source, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self._unreadable(number, source, error)
            return
        # no mtime: linecache keeps the entry, so that tracebacks show the source
        linecache.cache[filename] = (len(parsed.source), None, parsed.source.splitlines(keepends=True), filename)
        self._magics(number, parsed)
        for stmt in parsed.tree.body:
            self._statement(number, stmt, filename)

    def _statement(self, number: int, stmt: ast.stmt, filename: str) -> None:
        kept = self._sieve.keep([stmt])
        for line, reason, names in self._sieve.left_out:
            self._notes.append(f"cell {number}, line {line}: not run ({reason})")
            for name, is_definition in names.items():
                self._absent(name, f"which cell {number} {'defines' if is_definition else 'computes'}, but that was not run ({reason})")
                if is_definition and name not in self._names:
                    self._failed[name] = f"{name} is in cell {number}, line {line}, which was not run ({reason})"
        self._sieve.left_out.clear()
        for part in kept:
            self._run(number, part, filename)

    def _run(self, number: int, stmt: ast.stmt, filename: str) -> None:
        try:
            known = set(self._names)
            self._execute(stmt, filename)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failure(number, stmt, error)
            return
        if isinstance(stmt, ast.ImportFrom) and stmt.names[0].name == "*":
            self._sieve.origins.update({name: f"{stmt.module}.{name}" for name in self._names.keys() - known})
        for name in bound(stmt):
            if name not in self._names:
                self._absent(name, f"which cell {number} defines under a condition that does not hold here")
        self._note_change(number, stmt)

    def _execute(self, stmt: ast.stmt, filename: str) -> None:
        if self._is_path(stmt):
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(ast.Module([stmt], []), filename, "exec", self._flags, dont_inherit=True)
        exec(code, self._names)
        if isinstance(stmt, ast.ImportFrom) and stmt.module == "__future__":
            self._flags |= getattr(__future__, stmt.names[0].name).compiler_flag

    def _take(self, stmt: ast.stmt) -> bool:
        """Whether the statement changes where modules are looked for; that is done here, relative to the notebook."""
        added = paths.added_paths(stmt, self._names, self._folder)
        paths.add(added or [])
        return bool(added) or self._is_path(stmt)

    def _is_path(self, stmt: ast.stmt) -> bool:
        """Whether the statement gives a path a name; that is done here, as the process works in another folder than the notebook's."""
        path = paths.assigned_path(stmt, self._names, self._folder)
        if path is not None:
            self._names[path[0]] = path[1]
        return path is not None

    def _note_change(self, number: int, stmt: ast.stmt) -> None:
        """A class that is defined again or changed afterwards: the reader should know which one is judged."""
        for name in patched(stmt):
            self._notes.append(f"cell {number}, line {stmt.lineno}: {name} is replaced")
        if isinstance(stmt, Definition):
            before = self._cell_of.get(stmt.name)
            if before is not None:
                self._notes.append(f"cell {number}, line {stmt.lineno}: {stmt.name} is defined again; this one counts, not cell {before}'s")
            self._cell_of[stmt.name] = number

    def _failure(self, number: int, stmt: ast.stmt, error: BaseException) -> None:
        """A statement that raised. What it would have defined is gone: an older definition of this name is not what the user means."""
        reason = told(error, self._searched)
        missing = error.name if isinstance(error, NameError) and isinstance(error.name, str) else None
        if missing:
            reason = f"it needs `{missing}`, {self._explain(missing)}"
        self._notes.append(f"cell {number}, line {stmt.lineno}: failed: {reason}")
        for name, is_definition in bound(stmt).items():
            self._names.pop(name, None)
            if is_definition:
                self._failed[name] = f"{name} needs `{missing}`, {self._explain(missing)}" if missing else f"{name}: {reason}"
            verb = "imports" if isinstance(stmt, ast.Import | ast.ImportFrom) else "defines" if is_definition else "computes"
            self._absent(name, f"which cell {number} {verb}, but that failed: {reason}")

    def _unreadable(self, number: int, source: str, error: BaseException) -> None:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = f"cell {number}{line} is not Python: {told(error)}"
        self._notes.append(reason)
        for kind, name in re.findall(r"^(class|def)[ \t]+(\w+)", source, re.MULTILINE):
            self._names.pop(name, None)
            self._failed[name] = f"{name}: {reason}"
            self._absent(name, f"which is {'a class' if kind == 'class' else 'a function'} of cell {number}, and {reason}")

    def _magics(self, number: int, parsed: Parsed) -> None:
        for line, text, names in parsed.magics:
            self._notes.append(f"cell {number}, line {line}: not run (IPython: {cut(text, 60)})")
            for name in names:
                self._absent(name, f"which cell {number} takes from IPython: {cut(text, 60)}")

    def _absent(self, name: str, why: str) -> None:
        self._why[name] = why

    def _explain(self, name: str) -> str:
        return self._why.get(name, "which no cell defines")

    def loaded(self) -> Loaded:
        """All that was run; a definition that would fail for want of a name is missing."""
        missing = {name: reason for name, reason in self._failed.items() if name not in self._names}
        names = defined_names(self._names, self._module.__name__)
        for name in names:
            reason = missing_need(name, self._names, self._explain)
            if reason is not None:
                missing[name] = reason
        more = len(self._notes) - MOST_NOTES
        notes = [*self._notes[:MOST_NOTES], *([f"and {more} more"] if more > 0 else [])]
        return Loaded(self._names, tuple(name for name in names if name not in missing), missing, tuple(notes))


__all__ = ["LoadError", "load_notebook"]
