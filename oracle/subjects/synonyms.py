"""What layers are called: other names of the specs, and the words that stand around a layer's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

SYNONYMS: dict[str, tuple[str, ...]] = {
    "AddLayer": ("add", "plus", "addition", "adder"),
    "MulLayer": ("mul", "multiply", "multiplication", "mult", "times"),
    "Relu": ("rectifier", "rectified_linear", "rectified_linear_unit"),
    "Sigmoid": ("logistic", "logistic_sigmoid", "sigm"),
    "Affine": ("linear", "dense", "fully_connected", "full_connected", "fc", "inner_product"),
    "SoftmaxWithLoss": (
        "softmax_loss",
        "softmax_cross_entropy",
        "softmax_cross_entropy_loss",
        "softmax_cross_entropy_error",
        "softmax_cross_entropy_with_logits",
        "softmax_with_cross_entropy",
        "softmax_with_cross_entropy_loss",
        "softmax_and_cross_entropy",
        "softmax_categorical_crossentropy",
        "softmax_loss_categorical_crossentropy",
        "cross_entropy_with_logits",
    ),
    "TwoLayerNet": ("two_layer_network", "two_layer_nn", "two_layer_neural_net", "two_layer_neural_network", "two_layer_mlp"),
    "cross_entropy_error": ("cross_entropy", "categorical_cross_entropy", "loss_categorical_cross_entropy"),
    "numerical_gradient": ("numerical_grad", "num_grad", "num_gradient", "eval_numerical_gradient"),
}
"""Other names by spec, in any case and with or without underscores."""

_BEFORE = ("my", "custom", "numpy", "np", "layer")
_AFTER = ("layer", "function", "func", "module", "node", "gate", "op", "numpy", "np")
_ACTIVATIONS = ("Relu", "Sigmoid", "softmax", "SoftmaxWithLoss")

_FORWARD = ("forwardpass", "forward", "fwd")
_BACKWARD = ("backwardpass", "backward", "bwd", "backprop", "prime", "derivative", "deriv", "gradient", "grad", "der")


def folded(name: str) -> str:
    """`name` without case and underscores."""
    return name.replace("_", "").lower()


def spec_of(name: str, spec_names: Sequence[str], is_class: bool = True) -> str | None:
    """The spec that a class or function called `name` is probably one of; None where none fits.

    `CrossEntropyLoss` takes scores as a class, as torch's does, and probabilities as a function.
    """
    meant = _table(spec_names, is_class)
    for bare in _bare(folded(name)):
        if bare in meant:
            return meant[bare]
    activations = {key: spec for key, spec in meant.items() if spec in _ACTIVATIONS}
    words = folded(name).removeprefix("activation"), folded(name).removesuffix("activation")
    return next((activations[bare] for word in words for bare in _bare(word) if bare in activations), None)


def forward_stem(name: str) -> str:
    """`relu` of `relu_forward` and `forward_relu`, folded; the folded name where it says nothing of forward."""
    return _without(folded(name), _FORWARD) or folded(name)


def backward_stem(name: str) -> str | None:
    """`relu` of `relu_backward`, `relu_prime`, `grad_relu`, `drelu`, folded; empty for `backward`; None for other names."""
    name = folded(name)
    stem = _without(name, _BACKWARD)
    if stem is None and name.startswith("d") and len(name) > 2:
        return name[1:]
    return stem


def _without(name: str, words: Sequence[str]) -> str | None:
    for word in words:
        if name.endswith(word):
            return name.removesuffix(word)
        if name.startswith(word):
            return name.removeprefix(word).removeprefix("of")
    return None


def _table(spec_names: Sequence[str], is_class: bool) -> dict[str, str]:
    table = {folded(spec): spec for spec in spec_names}
    for spec in spec_names:
        for name in SYNONYMS.get(spec, ()):
            table.setdefault(folded(name), spec)
    loss = "SoftmaxWithLoss" if is_class else "cross_entropy_error"
    if loss in spec_names:
        table.setdefault("crossentropyloss", loss)
    return table


def _bare(name: str) -> Iterator[str]:
    """`name`, then with one word less around it, and so on."""
    while name:
        yield name
        before = next((word for word in _BEFORE if name.startswith(word)), "")
        after = next((word for word in _AFTER if name.endswith(word)), "")
        shorter = name.removeprefix(before) if before else name.removesuffix(after)
        if shorter == name:
            return
        name = shorter
