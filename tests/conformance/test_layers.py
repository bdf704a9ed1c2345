"""The gate itself: every reference layer against torch, over cases drawn by Hypothesis, branch by branch."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.core.judge import judge
from oracle.search.strategies import cases
from oracle.specs import all_specs, spec_named
from oracle.subjects import subject_of

ROWS = [(spec.name, branch, dtype) for spec in all_specs().values() for branch in spec.branches for dtype in spec.dtypes]


@pytest.mark.parametrize(("name", "branch", "dtype"), ROWS)
@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_layer_conforms(name: str, branch: str, dtype: str, data: st.DataObject) -> None:
    spec = spec_named(name)
    case = data.draw(cases(spec, branch, dtype))
    judgement = judge(spec, subject_of(spec), case)
    assert judgement.findings == ()
    assert judgement.answered or judgement.discarded or case.refusal
