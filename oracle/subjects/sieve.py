"""Which statements of a notebook are run: its imports, definitions and simple assignments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from oracle.subjects.paths import dotted
from oracle.subjects.simple import what_is_not_simple

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_TRY: tuple[type[ast.stmt], ...] = (ast.Try, *([ast.TryStar] if hasattr(ast, "TryStar") else []))
_LISTS = ("body", "orelse", "finalbody")
_WORDS = {
    "For": "for loop", "AsyncFor": "for loop", "While": "while loop", "With": "with block", "AsyncWith": "with block",
    "Match": "match block", "Delete": "del", "Assert": "assert", "Raise": "raise", "Return": "return",
}  # fmt: skip


class LeftOut(NamedTuple):
    """A statement that is not run: where, why, and the names that it would have bound; True for a definition."""

    line: int
    reason: str
    names: dict[str, bool]


class Sieve:
    """Goes through statements in order and remembers what they import and define; what is not run is in `left_out`.

    take: shown every statement that is to be left out; what it returns True for it has dealt with itself, so that it goes unmentioned.
    """

    def __init__(self, take: Callable[[ast.stmt], bool]) -> None:
        self._take = take
        self.origins: dict[str, str] = {}
        self.own: set[str] = set()
        self.left_out: list[LeftOut] = []

    def keep(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """What of `body` is to be run. An `import a, b` comes as two statements: one may fail."""
        return [kept for stmt in body for kept in self._one(stmt)]

    def _one(self, stmt: ast.stmt) -> list[ast.stmt]:
        if isinstance(stmt, ast.Import | ast.ImportFrom):
            return self._imports(stmt)
        if isinstance(stmt, Definition):
            self._bind(stmt)
            return [stmt]
        if isinstance(stmt, ast.If):
            return self._if(stmt)
        if isinstance(stmt, _TRY):
            return self._pruned(stmt)
        if isinstance(stmt, ast.Pass) or (isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Constant)):
            return []
        reason = self._objection(stmt)
        if reason is None:
            self._bind(stmt)
            return [stmt]
        return self._leave(stmt, reason)

    def _leave(self, stmt: ast.stmt, reason: str) -> list[ast.stmt]:
        if not self._take(stmt):
            self.left_out.append(LeftOut(stmt.lineno, reason, bound(stmt)))
        return []

    def _bind(self, stmt: ast.stmt) -> None:
        names = bound(stmt)
        self.own.update(names)
        for name in names:
            self.origins.pop(name, None)

    def _imports(self, stmt: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for alias in stmt.names:
            if isinstance(stmt, ast.ImportFrom):
                single: ast.stmt = ast.ImportFrom(stmt.module, [alias], stmt.level)
                origin = f"{stmt.module}.{alias.name}"
            else:
                single = ast.Import([alias])
                origin = alias.name if alias.asname else alias.name.partition(".")[0]
            kept.append(ast.copy_location(single, stmt))
            name = alias.asname or alias.name.partition(".")[0]
            self.origins[name] = origin
            self.own.discard(name)
        return kept

    def _if(self, stmt: ast.If) -> list[ast.stmt]:
        if any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(stmt.test)):
            return self._leave(stmt, "for a run as a script")
        reason = what_is_not_simple(stmt.test, self.origins, self.own)
        return self._leave(stmt, f"if that {reason}") if reason else self._pruned(stmt)

    def _pruned(self, stmt: Any) -> list[ast.stmt]:
        """An `if` or `try` with what is kept of its blocks; nothing where nothing is kept of the first and of the else."""
        for block in (stmt, *getattr(stmt, "handlers", [])):
            for field in _LISTS:
                if hasattr(block, field):
                    setattr(block, field, self.keep(getattr(block, field)))
        if not stmt.body and not stmt.orelse:
            return []
        for block in (stmt, *getattr(stmt, "handlers", [])):
            block.body = block.body or [ast.copy_location(ast.Pass(), stmt)]
        if not isinstance(stmt, ast.If) and not stmt.handlers and not stmt.finalbody:
            return [*stmt.body, *stmt.orelse]
        return [stmt]

    def _objection(self, stmt: ast.stmt) -> str | None:
        """Why a statement that is neither import nor definition is not run; None for a simple assignment."""
        if isinstance(stmt, ast.Expr):
            return self._expression(stmt.value)
        if hasattr(ast, "TypeAlias") and isinstance(stmt, ast.TypeAlias):
            return None
        if not isinstance(stmt, ast.Assign | ast.AugAssign | ast.AnnAssign):
            return _WORDS.get(type(stmt).__name__, type(stmt).__name__.lower())
        targets = stmt.targets if isinstance(stmt, ast.Assign) else [stmt.target]
        reasons = [what_is_not_simple(stmt.value, self.origins, self.own)] if stmt.value else []
        return next((reason for reason in [*reasons, *map(self._target, targets)] if reason), None)

    def _expression(self, value: ast.expr) -> str | None:
        if isinstance(value, ast.Call) and dotted(value.func) == "setattr" and len(value.args) == 3:
            objections = [self._own_only(value.args[0]), *[what_is_not_simple(a, self.origins, self.own) for a in value.args]]
            return next((reason for reason in objections if reason), None)
        return what_is_not_simple(value, self.origins, self.own) or "an expression"

    def _target(self, target: ast.expr) -> str | None:
        """Why `target` may not be assigned to: only names, and parts of what the notebook itself has defined."""
        if isinstance(target, ast.Name):
            return None
        if isinstance(target, ast.Starred):
            return self._target(target.value)
        if isinstance(target, ast.Tuple | ast.List):
            return next((reason for reason in map(self._target, target.elts) if reason), None)
        if isinstance(target, ast.Subscript):
            return self._own_only(target.value) or what_is_not_simple(target.slice, self.origins, self.own)
        return self._own_only(target)

    def _own_only(self, node: ast.expr) -> str | None:
        name = dotted(node)
        return None if name and name.partition(".")[0] in self.own else f"changes {name or ast.unparse(node)[:40]}"


def bound(stmt: ast.stmt) -> dict[str, bool]:
    """The names that a statement binds at its own level, in blocks as well; True for a class or a function."""
    return {name: isinstance(node, Definition) for node in _same_level(stmt) for name in _names(node)}


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, Definition):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


def _same_level(node: ast.AST) -> Iterator[ast.AST]:
    waiting = [node]
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, Definition | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += ast.iter_child_nodes(node)


def patched(stmt: ast.stmt) -> list[str]:
    """`Affine.backward` where the statement sets this attribute, by assignment or `setattr`."""
    if isinstance(stmt, ast.Assign):
        return [name for target in stmt.targets if isinstance(target, ast.Attribute) and (name := dotted(target))]
    if isinstance(stmt, ast.Expr) and isinstance(stmt.value, ast.Call):
        owner, attribute = stmt.value.args[:2]
        return [f"{dotted(owner)}.{attribute.value!s}"] if isinstance(attribute, ast.Constant) else []
    return []
