"""`parametrize_with_layers`: one item of a test for each row of some layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from oracle.pytest_plugin.asking import Asked, AskedWronglyError, asked, rows

_ATTRIBUTE = "_gradconform_layers"
F = TypeVar("F", bound=Callable[..., Any])


class Conformance:
    """One row of one layer: what a test gets as `conformance`.

    layer: the layer. name: its key. branch, row: what is judged; row is a quantity such as "backward.dx", or "contracts".
    """

    def __init__(self, name: str, what: Asked, branch: str, row: str) -> None:
        self.name, self.layer, self.branch, self.row = name, what.layer, branch, row
        self._what = what

    def check(self) -> None:
        """Raises AssertionError where the row diverges from torch or was not judged; skips the test where it is not claimed."""
        __tracebackhide__ = True
        from oracle.pytest_plugin.judging import told

        found = told(self._what, self.branch, self.row)
        if found.state == "skipped":
            pytest.skip(found.text)
        if found.state == "failed":
            raise AssertionError(found.text)

    def __repr__(self) -> str:
        return f"<{self.name} {self.branch} {self.row}>"


def parametrize_with_layers(layers: Mapping[str, Any], **options: Any) -> Callable[[F], F]:
    """Run a test with the argument `conformance` once for each row of each of `layers`.

    layers: the name of a spec -> your layer of it; or any name -> (your layer, the torch function that it must equal).
    options: those of `oracle.check`, for all layers.

        @parametrize_with_layers({"Relu": MyRelu, "MySwish": (MySwish, F.silu)}, examples=1000)
        def test_layers(conformance):
            conformance.check()
    """

    def decorate(function: F) -> F:
        setattr(function, _ATTRIBUTE, (layers, options))
        return function

    return decorate


def generate(metafunc: pytest.Metafunc) -> None:
    """Parametrize a decorated test. Raises AskedWronglyError."""
    found = getattr(metafunc.function, _ATTRIBUTE, None)
    if found is None:
        return
    layers, options = found
    if not isinstance(layers, Mapping) or not layers:
        raise AskedWronglyError(f"{metafunc.function.__name__}: parametrize_with_layers takes a dict of layers by the name of their spec")
    if "conformance" not in metafunc.fixturenames:
        raise AskedWronglyError(f"{metafunc.function.__name__}: parametrize_with_layers needs an argument called conformance")
    params = [param for name, layer in layers.items() for param in _params(metafunc, str(name), layer, options)]
    metafunc.parametrize("conformance", params)


def _params(metafunc: pytest.Metafunc, name: str, layer: Any, options: Mapping[str, Any]) -> list[Any]:
    where = f"{metafunc.function.__name__}: parametrize_with_layers({name!r})"
    if "like" in options:
        raise AskedWronglyError(f"{where}: the key of a layer says what it is like, there is no 'like'")
    if isinstance(layer, tuple) and len(layer) != 2:
        raise AskedWronglyError(f"{where}: a tuple holds a layer and a torch function, this one has {len(layer)} parts")
    layer, like = layer if isinstance(layer, tuple) else (layer, name)
    what = asked(layer, (like,), options, where)
    # with --dist loadgroup one worker then judges all rows of a layer
    marks = [pytest.mark.xdist_group(f"{metafunc.module.__name__}:{name}")] if metafunc.config.pluginmanager.hasplugin("xdist") else []
    return [pytest.param(Conformance(name, what, branch, row), id=f"{name}-{branch}-{row}", marks=marks) for branch, row in rows(what)]
