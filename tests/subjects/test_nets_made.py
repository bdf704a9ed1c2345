"""A net made of what a target holds: by a class, a function, or there already; and cast where it takes no dtype."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from somenets import BookNet, T, X

from oracle.subjects.loaded import Loaded, defined_names
from oracle.subjects.net_finding import net_in
from oracle.subjects.nets import NetError, made
from reference import TwoLayerNet


def test_a_class_that_takes_a_dtype() -> None:
    assert {a.dtype.name for a in made(TwoLayerNet, (4, 5, 3), "float32").params().values()} == {"float32"}
    assert {a.dtype.name for a in made(TwoLayerNet, (4, 5, 3)).params().values()} == {"float64"}


def test_the_dtype_handed_over_is_the_class_that_people_compare_with() -> None:
    def make(dtype: Any) -> BookNet:
        assert dtype is np.float32
        return BookNet()

    made(make, (), "float32")


def test_a_function_and_a_net_that_is_there() -> None:
    assert made(lambda n: BookNet(4, n), (2,)).params()["b1"].shape == (2,)
    net = BookNet()
    made(net).update({"W1": np.zeros((4, 3)), "b1": np.ones(3)}, 1.0)
    assert net.params["b1"].tolist() == [-1, -1, -1]
    with pytest.raises(NetError, match="BookNet is a net already and takes no arguments; leave 4, 3 out"):
        made(net, (4, 3))


@pytest.mark.parametrize(
    ("thing", "args", "says"),
    [
        (BookNet, (1, 2, 3), r"BookNet\(1, 2, 3\) raised TypeError: "),
        (lambda: None, (), "returned None, not a net"),
        (lambda: 3, (), "int has no method loss"),
        (7, (), "int has no method loss"),
    ],
)
def test_what_makes_no_net(thing: Any, args: Any, says: str) -> None:
    with pytest.raises(NetError, match=says):
        made(thing, args)


def test_a_net_that_takes_no_dtype_is_cast_with_its_layers() -> None:
    net = BookNet()
    subject = made(net, (), "float32")
    assert net.layers[0].W is net.params["W1"] and net.layers[0].b is net.params["b1"]
    x = X.astype(np.float32)
    first = subject.step(x, T, 0.1)
    assert first.loss.dtype == "float32" and {g.dtype.name for g in first.grads.values()} == {"float32"}
    assert subject.step(x, T, 0.1).loss < first.loss


class Slotted:
    __slots__ = ("W",)

    def __init__(self, W: Any) -> None:
        self.W = W


def test_whoever_holds_a_parameter_holds_the_cast_one() -> None:
    net: Any = BookNet()
    W = net.params["W1"]
    net.module = types.ModuleType("shared")
    net.module.W = W
    net.kept = {"deep": [Slotted(W)], "self": net}
    net.apart = W.copy()
    made(net, (), "float32")
    assert net.kept["deep"][0].W is net.params["W1"] and net.apart.dtype == "float64"
    assert net.module.W is W  # what is not the net's own is left alone


@pytest.mark.parametrize(
    ("keep", "where"),
    [
        (lambda W: [W.T], r"Net.kept\[0\]"),
        (lambda W: {"a": W[:2]}, r"Net.kept\['a'\]"),
        (lambda W: (W,), r"Net.kept\[0\]"),
    ],
)
def test_views_of_a_parameter_cannot_be_cast(keep: Any, where: str) -> None:
    net: Any = BookNet()
    net.kept = keep(net.params["W1"])
    with pytest.raises(NetError, match=rf"params\['W1'\] cannot become float32 \(4, 3\): Book{where} holds on to .* give the net a dtype"):
        made(net, (), "float32")


def loaded(**namespace: Any) -> Loaded:
    for value in namespace.values():
        if isinstance(value, type):
            value.__module__ = "mine"
    return Loaded(namespace, defined_names(namespace, "mine"), {"Lost": "Lost needs a file"}, ())


def own(name: str, base: type = BookNet) -> type:
    return type(name, (base,), {})


def test_the_only_net_is_found() -> None:
    Net, Layer = own("Net"), own("Layer", object)
    assert net_in(loaded(Layer=Layer, Net=Net), None) is Net
    net = BookNet()
    module = types.SimpleNamespace(gradient=max, loss=max)
    assert net_in(loaded(net=net, _hidden=BookNet(), module=module), None) is net


@pytest.mark.parametrize(
    ("namespace", "name", "says"),
    [
        ({"A": own("A"), "B": own("B")}, None, "there are 2 nets in it: A, B; add the name of one to the target, as in :A"),
        ({"A": own("A"), "net": BookNet()}, None, "there are 2 nets in it: A, net;"),
        ({"C": own("C", object)}, None, "no class with the methods gradient and loss in it; there are C; Lost needs a file; name what"),
        ({"A": own("A")}, "Lost", "Lost needs a file"),
        ({"A": own("A")}, "B", "there is no 'B' in it; there are A"),
        ({"A": own("A")}, "A.inner", "A has no 'inner'"),
    ],
)
def test_no_net_is_found(namespace: Any, name: str | None, says: str) -> None:
    with pytest.raises(NetError, match=says):
        net_in(loaded(**namespace), name)


def test_a_net_is_found_by_its_name() -> None:
    outer = own("Outer", object)
    outer.Inner = BookNet  # type: ignore[attr-defined]
    assert net_in(loaded(Outer=outer), "Outer.Inner") is BookNet


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_net_of_the_document_is_one(dtype: str) -> None:
    section = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8").partition("## Nets")[2]
    namespace: dict[str, Any] = {"np": np}
    exec("\n".join([line[4:] for line in section.splitlines() if line.startswith("    ")]), namespace)
    net = made(namespace["Net"], (4, 3), dtype)
    grads, loss, breaches = net.step(X.astype(dtype), T, 0.0)
    assert loss.dtype == dtype and {g.dtype.name for g in grads.values()} == {dtype} and breaches == ()
    h = 2.0**-10
    above, below = net.losses("W1", range(12), [h, -h], X.astype(dtype), T).T
    assert np.allclose((above - below) / (2 * h), grads["W1"].ravel(), atol=1e-3)
