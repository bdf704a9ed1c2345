"""Which global names a definition needs when it runs, and the first of them that is not there."""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from oracle.subjects.loaded import module_of

_CALLED = frozenset(
    "forward backward predict loss gradient gradients accuracy derivative prime fprop bprop feedforward backprop f df".split()  # noqa: SIM905
)
"""Methods that a layer is judged by. Where a class has one, a method that none of them calls (`plot`) may fail without harm."""


def missing_need(name: str, namespace: Mapping[str, Any], why: Callable[[str], str]) -> str | None:
    """What the definition `name` needs, directly or through another one, and does not find, as a sentence; None if all is there.

    why: the end of the sentence for a name that is not there: "which no cell defines".
    """
    came_from: dict[str, str | None] = {name: None}
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        for used in _globals_of(namespace[current], namespace):
            if used in came_from:
                continue
            came_from[used] = current
            if used in namespace:
                waiting.append(used)
            elif not hasattr(builtins, used):
                return _sentence(used, came_from, why(used))
    return None


def _sentence(name: str, came_from: Mapping[str, str | None], why: str) -> str:
    chain = [name]
    while (user := came_from[chain[0]]) is not None:
        chain.insert(0, user)
    return f"{chain[0]} needs {', which needs '.join(f'`{link}`' for link in chain[1:])}, {why}"


def _globals_of(value: Any, namespace: Mapping[str, Any]) -> list[str]:
    """The global names that the functions of a definition of this namespace read, in order."""
    functions = _functions(value, namespace)
    return list(dict.fromkeys(name for function in functions for name in _read_globals(function.__code__)))


def _read_globals(code: CodeType) -> Iterator[str]:
    instructions = list(dis.get_instructions(code))
    reads = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    # a class body within a function stores and loads its own names by NAME
    set_here = {i.argval for i in instructions if i.opname in ("STORE_GLOBAL", "STORE_NAME")}
    for i in instructions:
        if i.opname in reads and i.argval not in set_here and not i.argval.startswith("__"):
            yield i.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _read_globals(constant)


def _functions(value: Any, namespace: Mapping[str, Any]) -> list[FunctionType]:
    """The functions of a definition, behind decorators too, that look names up in `namespace`."""
    found: list[FunctionType] = []
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            if value.__globals__ is namespace:
                found.append(value)
            waiting += [cell.cell_contents for cell in value.__closure__ or () if _is_code(cell)]
        elif inspect.isclass(value) and module_of(value) == namespace["__name__"]:
            waiting += _methods(value, namespace["__name__"])
    return found


def _is_code(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, FunctionType | type)
    except ValueError:  # an empty cell
        return False


def _methods(cls: type, module: str) -> list[Any]:
    """The functions and classes in a class and its bases of the same module, as far as the judged methods reach them."""
    members: dict[str, list[Any]] = {}
    for base in cls.__mro__:
        if module_of(base) == module:
            for name, member in vars(base).items():
                members.setdefault(name, _unwrapped(member))
    reached = [name for name in members if name.startswith("__") or name in _CALLED]
    if not _CALLED.intersection(reached) and "__call__" not in reached:
        reached = list(members)
    for name in reached:
        called = {n for part in members[name] if isinstance(part, FunctionType) for n in _names_in(part.__code__)}
        reached += [n for n in members if n in called and n not in reached]
    return [part for name in reached for part in members[name]]


def _names_in(code: CodeType) -> set[str]:
    inner = [_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _unwrapped(member: Any) -> list[Any]:
    """The functions behind a method, a property or the like; a nested class; nothing for data."""
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    if isinstance(member, property):
        return [part for part in (member.fget, member.fset, member.fdel) if part]
    return [member] if isinstance(member, FunctionType | type) else []
