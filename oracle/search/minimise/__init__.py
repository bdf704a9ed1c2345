"""Making a failing case small enough to read: the smallest shape and the simplest values that still fail for the same reason."""

from __future__ import annotations

from oracle.search.minimise.minimiser import BUDGET, SECONDS, Minimiser

__all__ = ["BUDGET", "SECONDS", "Minimiser"]
