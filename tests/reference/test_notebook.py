"""The figures that the notebook prints, from our layers with only the imports changed."""

import numpy as np
import pytest

from reference import (
    AddLayer,
    Affine,
    MulLayer,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
    TwoLayerNet,
    cross_entropy_error,
    numerical_gradient,
    softmax,
)


def test_two_apples_with_tax() -> None:
    mul_apple, mul_tax = MulLayer(), MulLayer()
    price = mul_tax.forward(mul_apple.forward(100, 2), 1.1)
    dapple_price, dtax = mul_tax.backward(1)
    dapple, dapple_num = mul_apple.backward(dapple_price)
    assert price == pytest.approx(220, abs=1e-12)
    assert (dapple, dapple_num, dtax) == pytest.approx((2.2, 110, 200), abs=1e-12)


def test_apples_and_oranges() -> None:
    mul_apple, mul_orange, add, mul_tax = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    price = mul_tax.forward(add.forward(mul_apple.forward(100, 2), mul_orange.forward(150, 3)), 1.1)
    dall_price, dtax = mul_tax.backward(1)
    dapple_price, dorange_price = add.backward(dall_price)
    dorange, dorange_num = mul_orange.backward(dorange_price)
    dapple, dapple_num = mul_apple.backward(dapple_price)
    assert price == pytest.approx(715, abs=1e-12)
    assert (dapple_num, dapple, dorange, dorange_num, dtax) == pytest.approx((110, 2.2, 3.3, 165, 650), abs=1e-12)


def test_relu() -> None:
    relu = Relu()
    assert relu.forward(np.array([[1.0, -0.5], [-2.0, 3.0]])).tolist() == [[1, 0], [0, 3]]
    assert relu.backward(np.ones((2, 2))).tolist() == [[1, 0], [0, 1]]


def test_sigmoid() -> None:
    sigmoid = Sigmoid()
    y = sigmoid.forward(np.array([0.0, 2.0, -2.0]))
    np.testing.assert_allclose(y, [0.5, 0.8807970779778823, 0.11920292202211755], rtol=1e-15)
    np.testing.assert_allclose(sigmoid.backward(np.ones(3)), [0.25, 0.10499358540350662, 0.10499358540350651], 1e-14)


def test_affine_of_seed_42() -> None:
    np.random.seed(42)
    X, W, b = np.random.randn(2, 3), np.random.randn(3, 4), np.random.randn(4)
    dout = np.random.randn(2, 4)
    affine = Affine(W, b)
    np.testing.assert_array_equal(affine.forward(X), np.dot(X, W) + b)
    np.testing.assert_allclose(affine.backward(dout), np.dot(dout, W.T), rtol=1e-14)
    np.testing.assert_allclose(affine.dW, np.dot(X.T, dout), rtol=1e-14)
    np.testing.assert_allclose(affine.db, np.sum(dout, axis=0), rtol=1e-14)


def test_softmax() -> None:
    np.testing.assert_allclose(softmax(np.array([0.3, 2.9, 4.0])), [0.01821127, 0.24519181, 0.73659691], atol=5e-9)


def test_softmax_loss_without_and_with_the_notebooks_eps() -> None:
    # A batch of two that gives both printed losses to the last digits. They fix how far each score lies below the
    # label's, 1.5 and 3 in one row, 2 and 3.5 in the other; the order and the offset are chosen here.
    x, t = np.array([[2.0, 0.5, -1.0], [-1.5, 2.0, 0.0]]), np.array([0, 1])
    exact, printed = 0.19724475188972268, 0.19724462996723546
    layer = SoftmaxWithLoss()
    for labels in (t, np.eye(3)[t]):
        assert layer.forward(x, labels) == pytest.approx(exact, abs=1e-16)
        assert cross_entropy_error(softmax(x), labels) == pytest.approx(exact, abs=3e-16)
        assert cross_entropy_error(softmax(x), labels, eps=1e-7) == pytest.approx(printed, abs=3e-16)
        np.testing.assert_allclose(layer.forward(x, labels) and layer.backward(), (softmax(x) - np.eye(3)[t]) / 2, 1e-14)


@pytest.mark.parametrize("one_hot", [False, True])
def test_gradient_check_of_the_two_layer_net(one_hot: bool) -> None:
    np.random.seed(0)
    net = TwoLayerNet(input_size=6, hidden_size=5, output_size=4)
    x, t = np.random.rand(3, 6), np.array([1, 3, 0])
    labels = np.eye(4)[t] if one_hot else t
    slow, fast = net.numerical_gradient(x, labels), net.gradient(x, labels)
    assert slow.keys() == fast.keys() == net.params.keys()
    for key, value in fast.items():
        assert np.abs(slow[key] - value).mean() < 1e-7, key


def test_training_lowers_the_loss() -> None:
    np.random.seed(1)
    net = TwoLayerNet(4, 10, 3)
    x = np.random.randn(60, 4)
    t = x[:, :3].argmax(axis=1)
    before = net.loss(x, t)
    for _ in range(300):
        grad = net.gradient(x, t)
        for key in ("W1", "b1", "W2", "b2"):
            net.params[key] -= 0.5 * grad[key]
    assert net.loss(x, t) < before / 3
    assert net.accuracy(x, t) > 0.9


def test_numerical_gradient_of_a_square() -> None:
    np.testing.assert_allclose(numerical_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0])), [6, 8], rtol=1e-9)
