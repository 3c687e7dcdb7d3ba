"""The sentiment forecaster, run by the server over a real conversation."""

from tests.capsules.built_in.desk import Desk

FALLING = (
    "This is wonderful, I love it, thank you!",
    "Great, that works well.",
    "It is fine, I guess.",
    "Hmm, this is not good.",
    "This is bad and annoying.",
    "I hate this, it is terrible and awful!",
)


async def said(desk: Desk, *lines: str) -> list[str]:
    return [(await desk.exchange(line, "I see."))[0] for line in lines]


async def test_a_conversation_that_goes_sour_is_forecast_to_go_on(desk: Desk) -> None:
    ids = await said(desk, *FALLING)
    result = await desk.here("sentiment_forecaster", {"ahead": 2})
    assert result["status"] == "ok"
    assert [each["message_id"] for each in result["turns"]] == ids
    assert result["trend"]["direction"] == "falling"
    assert [each["turn"] for each in result["forecast"]] == [7, 8]
    assert result["forecast"][0]["expected"] < 0 <= result["turns"][0]["score"]
    assert all(f["lower"] <= f["expected"] <= f["upper"] for f in result["forecast"])


async def test_the_message_at_which_the_mood_turned_is_named(desk: Desk) -> None:
    ids = await said(desk, *FALLING, "Great, now it works, wonderful, thank you!")
    result = await desk.here("sentiment_forecaster")
    assert [(each["message_id"], each["to"]) for each in result["turning_points"]] == [
        (ids[5], "up")
    ]


async def test_too_few_turns_are_said_to_be_too_few(desk: Desk) -> None:
    await said(desk, *FALLING[:4])
    result = await desk.here("sentiment_forecaster")
    assert (result["status"], result["needed"], result["found"]) == ("too_few_turns", 5, 4)
    assert "forecast" not in result


async def test_an_empty_conversation_and_none_have_too_few(desk: Desk) -> None:
    assert (await desk.here("sentiment_forecaster"))["found"] == 0
    assert (await desk.result("sentiment_forecaster"))["found"] == 0


async def test_another_language_is_warned_of(desk: Desk) -> None:
    await said(desk, *["Das ist ja furchtbar"] * 5)
    (warning,) = await desk.warnings("sentiment_forecaster")
    assert "reads English" in warning


async def test_no_model_is_asked(desk: Desk) -> None:
    desk.model_says("nothing")
    await said(desk, *FALLING)
    await desk.here("sentiment_forecaster")
    assert desk.upstream.requests == []


async def test_a_wrong_input_is_refused_by_its_field(desk: Desk) -> None:
    error = await desk.error("sentiment_forecaster", {"ahead": 11})
    assert [each.field for each in error.violations] == ["input.ahead"]
