"""Tools over a real WebSocket."""

import pytest

from servers.runtime.ids import new_id
from tests.gateway.client import Client


async def asked(client: Client) -> dict[str, str]:
    """A turn that asks about a call: what the answer has to name."""
    await client.send(sendMessage={"content": "ask 2", "requestId": "r-ask"})
    await client.expect("ack")
    while True:
        event = (await client.expect("turnEvent"))["turnEvent"]
        if "approvalRequested" in event:
            call_id = event["approvalRequested"]["call"]["id"]
            return {"turnId": event["position"]["streamId"], "callId": call_id}


async def test_the_tools_are_listed(client: Client) -> None:
    """Under the id of the request."""
    frame_id = await client.send(tools={})
    frame = await client.expect("result")
    assert frame["id"] == frame_id
    assert [tool["id"] for tool in frame["result"]["tools"]["tools"]] == ["calculator", "letter"]


@pytest.mark.parametrize("approved", [True, False])
async def test_an_answer_lets_the_turn_go_on(client: Client, approved: bool) -> None:
    """With the tool or without it."""
    question = await asked(client)
    frame_id = await client.send(answerApproval={**question, "approved": approved})
    kinds, result = list[str](), {}
    while not {"completed", "result"} <= {*kinds, *result}:
        frame = await client.receive()
        if "result" in frame and frame["id"] == frame_id:
            result = {"result": frame["result"]}
        kinds += frame.get("turnEvent", {}).keys()
    assert result["result"]["answerApproval"]["turn"]["id"] == question["turnId"]
    assert ("toolStarted" in kinds) == approved
    assert "toolFinished" in kinds


async def test_an_answer_to_no_question_is_refused(client: Client) -> None:
    """There is no such call, or it is answered."""
    question = {"turnId": new_id("turn"), "callId": new_id("call"), "approved": True}
    frame_id = await client.send(answerApproval=question)
    error = await client.refused()
    assert (error["id"], error["reason"]) == (frame_id, "REASON_CALL_NOT_FOUND")


async def test_an_answer_names_turn_and_call_by_their_ids(client: Client) -> None:
    """Anything else is told by the field."""
    await client.send(answerApproval={"turnId": "x", "callId": new_id("call")})
    error = await client.refused()
    assert error["violations"][0]["field"] == "answer_approval.turn_id"
