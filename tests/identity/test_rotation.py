"""What a refresh token is worth. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from servers.identity.rotation import (
    GRACE,
    Presented,
    Verdict,
    digest,
    judge,
    new_refresh_token,
    tenant_of,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATEST = Presented("session_1", 3, NOW + timedelta(days=1), 3, NOW - timedelta(hours=1), None)
JUST = {"session_rotated_at": NOW - GRACE + timedelta(milliseconds=1)}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.ROTATE),
        ({"generation": 2}, Verdict.REUSED),
        ({"generation": 2, **JUST}, Verdict.JOIN),
        ({"generation": 1, **JUST}, Verdict.REUSED),
        ({"generation": 2, "session_rotated_at": NOW - GRACE}, Verdict.REUSED),
        ({"expires_at": NOW}, Verdict.EXPIRED),
        ({"session_ended_at": NOW}, Verdict.REVOKED),
        ({"generation": 1, "session_ended_at": NOW}, Verdict.REVOKED),
        ({"generation": 1, "expires_at": NOW}, Verdict.EXPIRED),
    ],
)
def test_a_token_is_judged_by_its_generation(changes: dict[str, object], verdict: Verdict) -> None:
    """An ended session and an expired token are what they are before anything else."""
    assert judge(replace(LATEST, **changes), NOW) is verdict  # type: ignore[arg-type]


def test_a_refresh_token_names_its_tenant_and_nothing_else() -> None:
    tenant = f"tenant_{'0' * 32}"
    tokens = {new_refresh_token(tenant) for _ in range(100)}
    assert len(tokens) == 100
    assert {tenant_of(token) for token in tokens} == {tenant}


@pytest.mark.parametrize("text", ["", "x", "tenant_1.x", f"tenant_{'0' * 32}.short"])
def test_other_texts_name_no_tenant(text: str) -> None:
    assert tenant_of(text) is None


def test_a_digest_is_sha256() -> None:
    assert digest("abc").hex().startswith("ba7816bf8f01cfea414140de5dae2223")
