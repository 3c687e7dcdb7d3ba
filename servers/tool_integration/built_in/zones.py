"""Dates, times and zones: what `time` answers. Pure."""

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kari.errors.v1.errors_pb2 import Reason
from servers.runtime.errors import InvalidRequest
from servers.tool_integration.tool import Json

UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")


def answered(arguments: Mapping[str, Json], now: datetime) -> Json:
    """What the tool says. InvalidRequest, naming the argument, if a zone or a time is none."""
    zone = _zone("zone", arguments.get("zone", "UTC"))
    told = arguments.get("time")
    start = now.astimezone(zone) if told is None else _time("time", told, zone)
    moment = _added(start, arguments.get("add", {}))
    said: dict[str, Json] = {"time": _moment(moment)}
    if "to_zones" in arguments:
        others = [_zone(f"to_zones[{n}]", name) for n, name in enumerate(arguments["to_zones"])]
        said["in_zones"] = [_moment(_guarded(moment, other)) for other in others]
    if "until" in arguments:
        said["until"] = _between(moment, _time("until", arguments["until"], zone))
    return said


def _time(field: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        _refuse(field, f"`{text}` is no date or time in ISO 8601, such as 2026-03-01T14:30")
    return found.replace(tzinfo=zone) if found.tzinfo is None else _guarded(found, zone)


@lru_cache(maxsize=1024)
def _zone(field: str, name: str) -> ZoneInfo:
    try:
        # `UTC` and the like are in the database as well. What looks like a path is refused by it.
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _refuse(field, f"`{name}` is no IANA time zone, such as Europe/Paris or UTC")


def _added(moment: datetime, add: Mapping[str, int]) -> datetime:
    try:
        day = _months_later(moment, 12 * add.get("years", 0) + add.get("months", 0))
        day += timedelta(weeks=add.get("weeks", 0), days=add.get("days", 0))
        by_clock = {unit: add.get(unit, 0) for unit in UNITS[4:]}
        if not any(by_clock.values()):
            return day
        # Hours are hours also when the clocks are changed between: they are added in UTC.
        return (day.astimezone(UTC) + timedelta(**by_clock)).astimezone(moment.tzinfo)
    except (OverflowError, ValueError):
        _refuse("add", "leads out of the years 1 to 9999")


def _months_later(moment: datetime, months: int) -> datetime:
    """The same day of another month, or its last one if it has no such day."""
    month = moment.year * 12 + moment.month - 1 + months
    year, month = month // 12, month % 12 + 1
    if not 1 <= year <= 9999:
        raise OverflowError
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)


def _guarded(moment: datetime, zone: ZoneInfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        _refuse("time", "is out of the years 1 to 9999 in another zone")


def _moment(moment: datetime) -> Json:
    return {
        "iso": moment.isoformat(timespec="seconds"),
        "zone": str(moment.tzinfo),
        "offset": moment.isoformat()[-6:],
        "weekday": calendar.day_name[moment.weekday()],
        "week": moment.isocalendar().week,
        "day_of_year": moment.timetuple().tm_yday,
        "unix": moment.timestamp(),
    }


def _between(start: datetime, end: datetime) -> Json:
    # In UTC: subtracting times of one zone would leave out a change of the clocks between them.
    seconds = end.timestamp() - start.timestamp()
    days = date.toordinal(end) - date.toordinal(start)
    return {
        "seconds": seconds,
        "days": round(seconds / 86400, 6),
        "calendar_days": days,
        "in_words": _words(seconds),
    }


def _words(seconds: float) -> str:
    left, parts = int(abs(seconds)), list[str]()
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count:,} {name}{'s' if count > 1 else ''}")
    return (", ".join(parts) or "0 seconds") + (" ago" if seconds < 0 else "")


def _refuse(field: str, wrong: str) -> NoReturn:
    raise InvalidRequest(
        Reason.REASON_TOOL_ARGUMENTS, f"`{field}`: {wrong}", violations=[(field, wrong)]
    )
