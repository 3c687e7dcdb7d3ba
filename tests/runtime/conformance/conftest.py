"""Every test here runs over a socket and in process, and has to find the same."""

from functools import partial

import pytest

from tests.runtime.conformance.service import CARDINALITIES, Serve, serving


@pytest.fixture(params=["socket", "in_process"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Serves handlers over a transport."""
    return partial(serving, request.param)


@pytest.fixture(params=CARDINALITIES)
def cardinality(request: pytest.FixtureRequest) -> str:
    """Each of the four."""
    kind: str = request.param
    return kind
