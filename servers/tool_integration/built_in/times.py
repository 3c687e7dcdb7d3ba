"""The tool `time`: now in a zone, a time in another zone, arithmetic with dates."""

from collections.abc import Mapping

from servers.tool_integration.built_in import zones
from servers.tool_integration.built_in.clock import Clock
from servers.tool_integration.tool import Invocation, Json, Offer, Tool

TOOL = Tool(
    id="time",
    name="Time and date",
    description=(
        "Tells the current date and time in a time zone, converts a time from one zone to others, "
        "adds to or subtracts from a date, and tells how long it is between two dates. Call it "
        "without arguments for the current time in UTC. Use it whenever an answer depends on "
        "today's date or the time of day: do not guess them."
    ),
    parameters={
        "type": "object",
        "properties": {
            "time": {
                "type": "string",
                "maxLength": 64,
                "description": "Date or time, ISO 8601, such as 2026-03-01 or 2026-03-01T14:30. "
                "Default: now. Without an offset it is taken in `zone`.",
            },
            "zone": {
                "type": "string",
                "maxLength": 64,
                "description": "IANA time zone of `time` and of the result, such as Europe/Paris "
                "or America/New_York. Default: UTC.",
            },
            "to_zones": {
                "type": "array",
                "items": {"type": "string", "maxLength": 64},
                "maxItems": 10,
                "description": "More zones in which the result is told.",
            },
            "add": {
                "type": "object",
                "properties": {
                    unit: {"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000}
                    for unit in zones.UNITS
                },
                "additionalProperties": False,
                "description": "What is added to `time`; negative numbers subtract. Years, months, "
                "weeks and days go by the calendar; hours, minutes and seconds by the clock.",
            },
            "until": {
                "type": "string",
                "maxLength": 64,
                "description": "Another date or time, as `time`: the result tells how long it is "
                "from `time` (after `add`) to it.",
            },
        },
        "additionalProperties": False,
    },
    result={
        "type": "object",
        "properties": {
            "time": {"$ref": "#/$defs/moment"},
            "in_zones": {"type": "array", "items": {"$ref": "#/$defs/moment"}},
            "until": {
                "type": "object",
                "properties": {
                    "seconds": {"type": "number"},
                    "days": {"type": "number"},
                    "calendar_days": {"type": "integer"},
                    "in_words": {"type": "string"},
                },
                "required": ["seconds", "days", "calendar_days", "in_words"],
                "additionalProperties": False,
            },
        },
        "required": ["time"],
        "additionalProperties": False,
        "$defs": {
            "moment": {
                "type": "object",
                "properties": {
                    "iso": {"type": "string"},
                    "zone": {"type": "string"},
                    "offset": {"type": "string"},
                    "weekday": {"type": "string"},
                    "week": {"type": "integer"},
                    "day_of_year": {"type": "integer"},
                    "unix": {"type": "number"},
                },
                "required": ["iso", "zone", "offset", "weekday", "week", "day_of_year", "unix"],
                "additionalProperties": False,
            }
        },
    },
    timeout=2.0,
)


class Times:
    """Answers by a clock, which gives the time with its zone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, arguments: Mapping[str, Json], invocation: Invocation) -> Json:
        """The time that is asked for."""
        return zones.answered(arguments, self._clock())

    def offer(self) -> Offer:
        """As a tool."""
        return Offer(TOOL, self)
