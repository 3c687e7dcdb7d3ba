"""The tool `time`, by a clock that stands still."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from servers.runtime.call import Principal
from servers.runtime.errors import InvalidRequest
from servers.tool_integration.built_in.times import Times
from servers.tool_integration.results import encoded
from servers.tool_integration.tool import Invocation

NOW = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
OFFER = Times(lambda: NOW).offer()
CALL = Invocation("call_1", "time", Principal("user_1", "tenant_1", frozenset()))


async def asked(**arguments: Any) -> Any:
    value = await OFFER.handler(arguments, CALL)
    encoded(OFFER.tool, value)
    return value


async def test_without_arguments_it_is_now_in_utc() -> None:
    assert (await asked())["time"] == {
        "iso": "2026-03-28T23:30:00+00:00",
        "zone": "UTC",
        "offset": "+00:00",
        "weekday": "Saturday",
        "week": 13,
        "day_of_year": 87,
        "unix": NOW.timestamp(),
    }


@pytest.mark.parametrize(
    ("arguments", "iso"),
    [
        ({"zone": "Asia/Tokyo"}, "2026-03-29T08:30:00+09:00"),
        ({"zone": "Asia/Kathmandu"}, "2026-03-29T05:15:00+05:45"),
        ({"time": "2026-07-01T12:00", "zone": "Europe/Paris"}, "2026-07-01T12:00:00+02:00"),
        ({"time": "2026-07-01T12:00Z", "zone": "Europe/Paris"}, "2026-07-01T14:00:00+02:00"),
        ({"time": "2026-03-01", "zone": "UTC"}, "2026-03-01T00:00:00+00:00"),
        ({"time": "2024-01-31", "add": {"months": 1}}, "2024-02-29T00:00:00+00:00"),
        ({"time": "2024-02-29", "add": {"years": 1}}, "2025-02-28T00:00:00+00:00"),
        ({"time": "2026-01-15", "add": {"months": -13}}, "2024-12-15T00:00:00+00:00"),
        ({"time": "2026-12-31", "add": {"weeks": 1, "days": 1}}, "2027-01-08T00:00:00+00:00"),
        # The clocks go forward in the night to 29 March: a day later is the same time of day, 24
        # hours later is not.
        (
            {"time": "2026-03-28T12:00", "zone": "Europe/Berlin", "add": {"days": 1}},
            "2026-03-29T12:00:00+02:00",
        ),
        (
            {"time": "2026-03-28T12:00", "zone": "Europe/Berlin", "add": {"hours": 24}},
            "2026-03-29T13:00:00+02:00",
        ),
    ],
)
async def test_times_zones_and_sums(arguments: dict[str, Any], iso: str) -> None:
    assert (await asked(**arguments))["time"]["iso"] == iso


async def test_a_time_is_told_in_several_zones() -> None:
    """In the order they were asked for."""
    told = await asked(
        time="2026-07-01T15:00",
        zone="America/New_York",
        to_zones=["Europe/London", "Australia/Sydney"],
    )
    assert [moment["iso"] for moment in told["in_zones"]] == [
        "2026-07-01T20:00:00+01:00",
        "2026-07-02T05:00:00+10:00",
    ]


async def test_how_long_it_is_until_another_time() -> None:
    """By the clock and by the calendar, also over a change of the clocks; and how long ago."""
    until = (await asked(time="2026-03-28T12:00", zone="Europe/Berlin", until="2026-03-29T12:00"))[
        "until"
    ]
    assert until == {
        "seconds": 23 * 3600,
        "days": 0.958333,
        "calendar_days": 1,
        "in_words": "23 hours",
    }
    ago = (await asked(time="2026-03-28", until="2026-03-01"))["until"]
    assert ago["calendar_days"] == -27
    assert ago["in_words"] == "27 days ago"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": "/etc/localtime"}, "zone"),
        ({"zone": ""}, "zone"),
        ({"zone": "posix/\0"}, "zone"),
        ({"zone": "Europe"}, "zone"),
        ({"to_zones": ["UTC", "XYZ/1"]}, "to_zones[1]"),
        ({"time": "tomorrow"}, "time"),
        ({"time": "2026-02-30"}, "time"),
        ({"until": "31/12/2026"}, "until"),
        ({"add": {"years": 1_000_000}}, "add"),
        ({"add": {"days": -1_000_000}}, "add"),
        ({"time": "9999-12-31T23:00", "add": {"hours": 5}}, "add"),
        ({"time": "0001-01-01", "to_zones": ["America/New_York"]}, "time"),
        ({"time": "9999-12-31T23:59", "to_zones": ["Asia/Tokyo"]}, "time"),
    ],
)
async def test_what_is_no_zone_or_time_is_named(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await asked(**arguments)
    assert caught.value.violations[0][0] == field


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:59:59", "1900-01-01"])
async def test_the_ends_of_time_are_told_or_refused(time: str, zone: str) -> None:
    """Never a defect."""
    with suppress(InvalidRequest):
        await asked(time=time, zone=zone, until="2026-01-01")
