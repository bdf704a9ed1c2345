"""Affine layers as people write them: recognised, and judged as what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from connecting import found, object_connected, samples
from subjectlayers import (
    Accumulates,
    Book1,
    Book2,
    Breaks,
    Column,
    Dicts,
    Flagged,
    HalfGradient,
    NoSum,
    Parameter,
    Returns,
    Scratch,
    SizesAndLists,
    TorchLike,
    TransposedGradient,
    WithParameters,
    WritesIntoDout,
    WritesIntoW,
)


@pytest.mark.parametrize(
    ("thing", "convention", "details"),
    [
        (Book1, "layer", "parameters in the constructor"),
        (Book2, "layer", "W (in, out); b (D,); gradients in .grads[0], .grads[1]"),
        (Dicts, "layer", ".params['W'], .params['b']; gradients in .grads['W'], .grads['b']"),
        (SizesAndLists, "layer", "parameters assigned to .params[0], .params[1]"),
        (Scratch, "attributes", "b (1, D); parameters assigned to .weights, .biases; gradients in .dinputs, .dweights, .dbiases"),
        (Flagged, "attributes", "b (1, D)"),
        (Returns, "layer", "W (in, out); b (1, D)"),
        (TorchLike, "torch-like", "W (out, in); b (D,); parameters assigned to .weight, .bias; gradients in .weight_grad, .bias_grad"),
        (WithParameters, "torch-like", "gradients in .weight.grad, .bias.grad"),
        (Column, "torch-like", "W (out, in); b (D, 1); gradients in .grads['weights'], .grads['bias']"),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_affine_layer_is_recognised_and_conforms(thing: Any, convention: str, details: str, dtype: str) -> None:
    connection = object_connected("Affine", thing)
    assert (connection.convention, connection.forward_only) == (convention, "")
    assert details in connection.details
    assert found("Affine", connection, "matrix", dtype) == set()


def test_arrays_are_handed_over_as_views_of_the_very_memory() -> None:
    case = samples("Affine", "matrix")[0]
    for thing in (Book1, Returns, TorchLike, WithParameters, Column, Scratch, Dicts):
        subject = object_connected("Affine", thing).subject
        state = subject.start(case.params, {})
        layer = getattr(state, "layer", state)
        held = layer.params["W"] if thing is Dicts else next(getattr(layer, n) for n in ("W", "weight", "weights") if hasattr(layer, n))
        held = held.data if isinstance(held, Parameter) else held
        assert np.shares_memory(held, case.params["W"]), thing
        x = case.inputs["x"]
        subject.forward(state, {"x": x})
        assert np.shares_memory(next(getattr(layer, n) for n in ("x", "X", "inputs") if hasattr(layer, n)), x), thing
        grads = subject.backward(state, case.cotangents)
        assert [g.shape for g in grads] == [x.shape, case.params["W"].shape, case.params["b"].shape]


@pytest.mark.parametrize(
    ("thing", "convention", "rows"),
    [
        (TransposedGradient, "layer", {"backward.dW", "results.shape"}),
        (HalfGradient, "torch-like", {"backward.dW"}),
        (NoSum, "attributes", {"backward.db", "results.shape", "results.own-memory"}),
        (Breaks, "attributes", {"call.answers"}),
        (Accumulates, "layer", {"backward.repeatable"}),
        (WritesIntoDout, "torch-like", {"cotangent.unchanged"}),
        (WritesIntoW, "attributes", {"params.unchanged", "backward.repeatable"}),
    ],
)
def test_a_wrong_layer_is_recognised_all_the_same_and_its_fault_is_seen(thing: Any, convention: str, rows: set[str]) -> None:
    connection = object_connected("Affine", thing)
    assert (connection.convention, connection.forward_only) == (convention, "")
    assert found("Affine", connection, "matrix") == rows


def test_the_arrays_of_every_case_replace_what_the_layer_made_itself() -> None:
    subject = object_connected("Affine", SizesAndLists).subject
    W, b = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    first, second = subject.start({"W": W, "b": b}, {}), subject.start({"W": W, "b": b}, {})
    assert first.layer is not second.layer and first.layer.params[0] is W
    # the buffers were made for the layer's own float64 parameters
    assert [g.dtype for g in first.layer.grads] == [np.float32, np.float32]
    empty = subject.start({"W": np.ones((0, 3)), "b": np.ones(3)}, {})
    assert subject.forward(empty, {"x": np.ones((2, 0))})[0].tolist() == [[1, 1, 1], [1, 1, 1]]
