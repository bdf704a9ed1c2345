"""Options of the whole suite and the Hypothesis profiles.

Every field of a profile is set: with CI=true Hypothesis would otherwise choose some itself, and --hypothesis-seed would be ignored.
"""

from __future__ import annotations

import pytest

try:
    from hypothesis import HealthCheck, Phase, Verbosity, settings
except ImportError:  # the legs of tox that replay vectors have none
    settings = None

_SHARED = settings and {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "report_multiple_bugs": True,
    "stateful_step_count": 50,
    "suppress_health_check": (HealthCheck.too_slow, HealthCheck.data_too_large),
    "verbosity": Verbosity.normal,
    "phases": (Phase.explicit, Phase.generate, Phase.shrink),
}
if settings:
    settings.register_profile("quick", derandomize=True, max_examples=60, **_SHARED)
    settings.register_profile("deep", derandomize=False, max_examples=2_000, **_SHARED)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="2,000 fresh random examples per conformance test instead of 60 fixed ones")


def pytest_configure(config: pytest.Config) -> None:
    if settings:
        settings.load_profile("deep" if config.getoption("--deep") else "quick")
