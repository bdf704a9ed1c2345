"""Which numbers an array holds."""

from __future__ import annotations

import numpy as np
import pytest

from oracle.core import profiles
from oracle.core.profiles import ARRAY, Profile, boundaries, sprinkled

EVERY = [pytest.param(p, id=p.name) for p in {p.name: p for p in ARRAY}.values()]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("profile", EVERY)
def test_a_profile_fills_every_shape(profile: Profile, dtype: str) -> None:
    for shape in ((), (0,), (1,), (5,), (2, 0), (3, 4), (2, 3, 4)):
        with np.errstate(all="ignore"):
            a, b, c = (np.asarray(profile.fill(np.random.default_rng(seed), shape, dtype)) for seed in (1, 1, 2))
        assert a.shape == shape and a.dtype == dtype and not np.isnan(a).any()
        assert a.tobytes() == b.tobytes()
        assert a.size < 8 or a.tobytes() != c.tobytes()


def filled(name: str, shape: tuple[int, ...] = (8, 8), dtype: str = "float64", seed: int = 1) -> np.ndarray:
    profile = next(p for p in ARRAY if p.name == name)
    return np.asarray(profile.fill(np.random.default_rng(seed), shape, dtype))


def test_each_profile_holds_what_its_name_says() -> None:
    assert set(np.unique(filled("ints"))) == set(range(-3, 4))
    assert set(np.unique(filled("ties"))) <= set(profiles.TIES) and np.signbit(filled("ties")[filled("ties") == 0]).any()
    assert (np.abs(filled("subnormal", dtype="float32")) < 10 * np.finfo("float32").tiny).all()
    assert (filled("rows") == filled("rows")[:1]).all()
    assert np.abs(filled("outlier")).max() > 50 * np.median(np.abs(filled("outlier")))
    assert np.abs(filled("cancelling").sum(axis=-1)).max() < 0.1
    assert np.abs(filled("small")).max() < 1e-2 and np.abs(filled("offset")).min() > 5
    assert max(np.abs(filled("scaled", seed=s)).max() for s in range(20)) > 1e9
    assert min(np.abs(np.abs(filled("thresholds"))[..., None] - profiles.THRESHOLDS).min(-1).max() for _ in range(1)) < 0.5


def test_sprinkling_leaves_the_original_and_most_of_its_numbers_alone() -> None:
    a = np.ones((6, 6))
    for seed in range(20):
        b = sprinkled(np.random.default_rng(seed), a)
        n = int((~np.isfinite(b)).sum())
        assert 1 <= n <= 10 and (b[np.isfinite(b)] == 1).all() and (a == 1).all()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([[2.0, 3.0], [4.0, 5.0]], set()),
        ([2.0], {"size-1"}),
        ([], {"size-0"}),
        ([0.0, 2.0], {"zero"}),
        ([-0.0, 2.0], {"zero", "negative-zero"}),
        ([np.nan, 2.0], {"nan"}),
        ([np.inf, 2.0], {"inf", "saturation"}),
        ([np.nan, -np.inf, 2.0], {"nan", "inf"}),
        ([5e-324, 2.0], {"subnormal"}),
        ([0.0, 5e-324], {"zero", "subnormal"}),
        ([15.0, 2.0], {"saturation"}),
        ([2.0, 1.0, 2.0], {"ties"}),
        ([2.0, 1.0, 1.0], set()),
        ([[2.0, 3.0], [4.0, 4.0]], {"ties"}),
    ],
    ids=lambda given: str(sorted(given)) if isinstance(given, set) else str(given),
)
def test_boundaries(values: list[float], wanted: set[str]) -> None:
    assert set(boundaries(np.array(values))) == wanted


def test_boundaries_of_labels_are_their_sizes() -> None:
    assert boundaries(np.array([0, 5])) == () and boundaries(np.array([3])) == ("size-1",)
