"""Which expressions at the top level of a notebook may be evaluated: those that cannot train, plot, print or touch a file."""

# ruff: noqa: SIM905 - as lists, these words would be one a line

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping

from oracle.subjects.paths import dotted

_BUILTINS = frozenset(
    [
        "abs",
        "bool",
        "bytes",
        "complex",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "frozenset",
        "getattr",
        "hasattr",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "max",
        "min",
        "property",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "slice",
        "sorted",
        "staticmethod",
        "classmethod",
        "str",
        "sum",
        "tuple",
        "type",
        "zip",
        "object",
    ]
)

_PURE = ("math", "cmath", "collections", "operator", "typing", "dataclasses", "enum", "fractions", "decimal", "itertools", "os.path")
"""Modules whose functions only compute."""

_PURE_CALLS = ("functools.partial", "functools.lru_cache", "functools.wraps", "logging.getLogger", "pathlib.Path", "os.getcwd")

_NOT_PURE = frozenset(
    "load loads loadtxt genfromtxt fromfile save savez savez_compressed savetxt memmap fromregex DataSource "  # files
    "apply_along_axis apply_over_axes fromfunction fromiter piecewise "  # call what they are given
    "shuffle copyto put putmask place fill_diagonal "  # change what they are given
    "info lookfor show_config test seterr seterrcall set_printoptions setbufsize".split()
)
"""Functions of NumPy that do more than compute."""

_METHODS = frozenset(
    "reshape astype copy transpose ravel flatten squeeze swapaxes repeat clip round sum mean std var max min argmax argmin dot cumsum prod "
    "all any conj tolist item view nonzero take diagonal trace "  # arrays
    "standard_normal normal uniform integers random random_sample rand randn randint choice permutation "  # generators
    "split strip lower upper replace format join startswith endswith encode keys values items".split()  # strings, dicts
)
"""Methods of arrays, generators, strings and dicts that only compute."""


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and everything in it that is evaluated together with it: not what a lambda does when it is called."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *[default for default in node.args.kw_defaults if default]]
        else:
            waiting += reversed(list(ast.iter_child_nodes(node)))


def what_is_not_simple(node: ast.expr, origins: Mapping[str, str], own: Collection[str]) -> str | None:
    """What keeps an expression from being simple: "calls train()"; None where it is simple.

    Literals, names, attributes, arithmetic and lambdas are simple, and so are calls of NumPy, of a few modules and methods that only
    compute. A call of a function or class of the user's is not.

    origins: by name, what an import has made of it: {"np": "numpy"}. own: the names that the notebook has defined.
    """
    for part in executed(node):
        if isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return ":=" if isinstance(part, ast.NamedExpr) else "await" if isinstance(part, ast.Await) else "yield"
        if isinstance(part, ast.Call) and not _only_computes(part.func, origins, own):
            return f"calls {dotted(part.func) or ast.unparse(part.func)[:40]}()"
    return None


def _only_computes(function: ast.expr, origins: Mapping[str, str], own: Collection[str]) -> bool:
    name = dotted(function)
    root, _, rest = (name or "").partition(".")
    if root in origins:
        origin = f"{origins[root]}.{rest}".rstrip(".")
        last = origin.rpartition(".")[2]
        if origin.startswith("numpy."):
            return last not in _NOT_PURE and not origin.startswith("numpy.testing")
        return origin in _PURE_CALLS or origin.startswith(tuple(f"{module}." for module in _PURE))
    if name is not None and not rest:
        return name in _BUILTINS and name not in own
    return isinstance(function, ast.Attribute) and function.attr in _METHODS
