"""What is seen of a subject while it runs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from oracle.core.observe import observe, watching
from oracle.subjects import subject_of
from tests.core import faulty
from tests.core.handing import AFFINE, affine_case


def seen(layer: type, **handling: Any) -> Any:
    with watching():
        return observe(subject_of(AFFINE, layer), affine_case(**handling))


def test_results_come_in_the_order_of_the_spec() -> None:
    case, found = affine_case(), seen(faulty.Right)
    (y,), (dx, dW, db) = found.evaluation.outputs, found.evaluation.grads
    x, W, b, dout = case.inputs["x"], case.params["W"], case.params["b"], case.cotangents["out"]
    for actual, wanted in ((y, x @ W + b), (dx, dout @ W.T), (dW, x.T @ dout), (db, dout.sum(0))):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12)
    assert found.evaluation.error is None and not found.breaches and not found.warned and found.again is None


def test_an_exception_becomes_its_first_line() -> None:
    class Long(faulty.Right):
        def forward(self, x: Any) -> Any:
            raise ValueError("the first line\nthe second")

    assert seen(Long).evaluation.error == "ValueError: the first line"
    assert seen(faulty.Raises).evaluation.outputs == ()


def test_an_object_that_is_no_number_is_an_error() -> None:
    class Text(faulty.Right):
        def forward(self, x: Any) -> Any:
            return [None, "y"]

    assert "TypeError" in seen(Text).evaluation.error


def test_a_python_number_is_taken_as_an_array() -> None:
    class Number(faulty.Right):
        def forward(self, x: Any) -> Any:
            super().forward(x)
            return 2.5

    (y,) = seen(Number).evaluation.outputs
    assert y.shape == () and y.dtype == np.float64 and y == 2.5


def test_the_second_backward_is_given_a_fresh_cotangent() -> None:
    found = seen(faulty.WritesDout, protocol="backward-twice")
    assert found.again is not None
    for first, second in zip(found.evaluation.grads, found.again, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_first_gradient_that_the_second_backward_overwrites_is_noticed() -> None:
    class Buffer(faulty.Right):
        def backward(self, dout: Any) -> Any:
            dx = super().backward(dout)
            if hasattr(self, "kept"):
                self.kept[...] = dx * 2
            else:
                self.kept = dx
            return dx.copy() if self.kept is not dx else dx

    assert {b.contract for b in seen(Buffer, protocol="backward-twice").breaches} == {"results.own-memory"}
    assert not seen(Buffer).breaches


def test_results_of_an_earlier_use_must_not_change() -> None:
    class Buffer(faulty.Right):
        buffer: Any = None

        def forward(self, x: Any) -> Any:
            y = super().forward(x)
            if self.buffer is None:
                self.buffer = y
                return y
            self.buffer[...] = y
            return y

    assert {b.contract for b in seen(Buffer, protocol="reused", prior=affine_case(1)).breaches} == {"results.own-memory"}


def test_the_prior_case_is_used_before_and_left_alone() -> None:
    prior = affine_case(1, rows=5)
    before = prior.digest()
    calls = []

    class Noting(faulty.WritesX):
        def forward(self, x: Any) -> Any:
            calls.append(x.shape)
            return super().forward(x)

    seen(Noting, protocol="reshaped", prior=prior)
    assert calls == [(5, 4), (3, 4)] and prior.digest() == before


def test_every_array_is_handed_over_in_the_layout() -> None:
    flags = {}

    class Noting(faulty.Right):
        def forward(self, x: Any) -> Any:
            flags["x"], flags["W"] = x.flags, self.W.flags
            return super().forward(x)

        def backward(self, dout: Any) -> Any:
            flags["dout"] = dout.flags
            return super().backward(dout)

    seen(Noting, layout="fortran")
    assert all(f.f_contiguous and not f.c_contiguous for f in flags.values()) and len(flags) == 3
    seen(Noting, layout="read-only")
    assert not any(f.writeable for f in flags.values())


def test_warnings_are_noted_for_each_case_and_then_forgotten() -> None:
    with watching():
        noisy = observe(subject_of(AFFINE, faulty.Warns), affine_case())
        assert noisy.warned == ("RuntimeWarning: this is slow",)
        assert observe(subject_of(AFFINE, faulty.Right), affine_case()).warned == ()
        with watching():
            pass
        noisy = observe(subject_of(AFFINE, faulty.Warns), affine_case())
        assert len(noisy.warned) == 1, "an inner block ends nothing"


def test_numpys_own_warnings_are_noted() -> None:
    class Overflowing(faulty.Right):
        def forward(self, x: Any) -> Any:
            np.exp(np.full(2, 1e4))
            return super().forward(x)

    assert "overflow" in seen(Overflowing).warned[0]


def test_watching_puts_everything_back() -> None:
    shown, handling = warnings.showwarning, np.geterr()
    try:
        with watching():
            raise KeyError
    except KeyError:
        pass
    assert warnings.showwarning is shown and np.geterr() == handling
