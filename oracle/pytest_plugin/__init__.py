"""The pytest plugin: `@pytest.mark.conforms` on layers and tests, and `parametrize_with_layers`.

Loading it loads neither NumPy nor torch nor Hypothesis; collecting loads NumPy, and torch is loaded when the first layer is judged.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from oracle.pytest_plugin.asking import MARK, own_marks
from oracle.pytest_plugin.parametrizing import Conformance, generate, parametrize_with_layers

__all__ = ["Conformance", "parametrize_with_layers"]

_MARK_LINE = (
    f"{MARK}(like, *, inputs, params, examples, seed, dtypes, convention, not_claimed): judge the layer that it is put on, or the layers"
    " that the fixtures of a test return, against PyTorch (gradconform)"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARK_LINE)


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> pytest.Collector | None:
    """A marked class or function that is no test of its own is a layer."""
    mark = next((m for m in own_marks(obj) if m.name == MARK), None)
    if mark is None or _is_test(collector, name, obj):
        return None
    from oracle.pytest_plugin.collecting import collector_of

    return collector_of(collector, name, obj, mark)


def _is_test(collector: pytest.Module | pytest.Class, name: str, obj: object) -> bool:
    """Whether pytest itself makes tests of it: a function with a test's name, or a class of such functions."""
    if not inspect.isclass(obj):
        return collector.funcnamefilter(name)
    return collector.classnamefilter(name) and any(collector.funcnamefilter(n) for n in dir(obj))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    generate(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Any:
    """Judge the layers that the fixtures of a marked test return, before its body runs."""
    mark = pyfuncitem.get_closest_marker(MARK)
    if mark is not None:
        from oracle.pytest_plugin.judging import judge_fixtures

        judge_fixtures(pyfuncitem, mark, required=mark in pyfuncitem.own_markers)
    return None
