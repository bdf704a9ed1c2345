"""Every test of the layers runs with NumPy's warnings as errors: torch is silent, so ours are."""

from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def loud_numpy() -> Iterator[None]:
    """Turn each overflow, division by zero and invalid operation outside the layers' own care into an error."""
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        yield
