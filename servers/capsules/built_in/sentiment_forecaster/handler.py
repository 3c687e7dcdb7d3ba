"""Scores what the user said, fits a line, and says where it leads. No model is needed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from servers.capsules.skill import Skill

from .scoring import mostly_silent, score
from .trend import CONFIDENCE, FEWEST, Forecast, Trend, fitted, forecast, leaves_scale
from .turning_points import TurningPoint, turning_points

MESSAGES, AHEAD = 100, 3
DIGITS = 4


async def run(skill: Skill) -> Mapping[str, object]:
    """The scores of the user's turns; from FEWEST on a trend and a forecast as well."""
    history = await skill.history(skill.input.get("messages", MESSAGES))
    said = [each for each in history if each["role"] == "user" and each["content"].strip()]
    scores = await asyncio.to_thread(lambda: [score(each["content"]) for each in said])
    skill.measure("turns", len(scores))
    if mostly_silent(scores):
        skill.warn(
            "VADER knows no word of most of these turns: it reads English, and scores the rest as 0"
        )
    result = {"lexicon": "VADER", "turns": _scored(said, scores)}
    if len(scores) < FEWEST:
        return {**result, "status": "too_few_turns", "needed": FEWEST, "found": len(scores)}
    trend = fitted(scores)
    ahead = skill.input.get("ahead", AHEAD)
    if leaves_scale(trend, ahead):
        skill.warn("the line leads out of the scale: it cannot go on like this")
    if trend.is_dependent:
        skill.warn("the scores hang on those before them: the intervals are too narrow")
    return {
        **result,
        "status": "ok",
        "trend": _trend(trend),
        "forecast": [_shown(each) for each in forecast(trend, ahead)],
        "turning_points": [_turned(each, said, scores) for each in turning_points(scores)],
    }


def _scored(said: Sequence[Mapping[str, Any]], scores: Sequence[float]) -> list[dict[str, object]]:
    return [
        {"turn": turn, "message_id": each["id"], "score": round(value, DIGITS)}
        for turn, (each, value) in enumerate(zip(said, scores, strict=True), start=1)
    ]


def _trend(trend: Trend) -> dict[str, object]:
    return {
        "method": "ordinary least squares",
        "direction": trend.direction,
        "slope": round(trend.slope, DIGITS),
        "intercept": round(trend.intercept, DIGITS),
        "residual_deviation": round(trend.residual_deviation, DIGITS),
        "autocorrelation": round(trend.autocorrelation, DIGITS),
    }


def _shown(each: Forecast) -> dict[str, object]:
    return {
        "turn": each.turn,
        "expected": round(each.expected, DIGITS),
        "lower": round(each.lower, DIGITS),
        "upper": round(each.upper, DIGITS),
        "confidence": CONFIDENCE,
    }


def _turned(
    point: TurningPoint, said: Sequence[Mapping[str, Any]], scores: Sequence[float]
) -> dict[str, object]:
    return {
        "turn": point.place + 1,
        "message_id": said[point.place]["id"],
        "score": round(scores[point.place], DIGITS),
        "to": point.to,
    }
