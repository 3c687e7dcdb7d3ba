"""Answers in the format of OpenAI's chat completions API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.upstream.script import Call, Script

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}


def events(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """Everything up to the end of the text and the calls."""
    head = {**HEAD, "model": model}
    yield _event({**head, "choices": [_choice({"role": "assistant", "content": ""})]})
    for text in script.reasoning:
        yield _event({**head, "choices": [_choice({"reasoning_content": text})]})
    for text in script.chunks:
        yield _event({**head, "choices": [_choice({"content": text})]})
    for piece in _pieces(script):
        yield _event({**head, "choices": [_choice({"tool_calls": [piece]})]})


def completion(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """What says that the answer is complete."""
    head = {**HEAD, "model": model}
    yield _event({**head, "choices": [_choice({}, _finish(script))]})
    if usage and script.reports_usage:
        yield _event({**head, "choices": [], "usage": _usage(script)})
    yield b"data: [DONE]\n\n"


def whole(model: str, script: Script) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.chunks)}
    if script.calls:
        message["tool_calls"] = [
            {**_head(place, call), "function": {"name": call.name, "arguments": call.arguments}}
            for place, call in enumerate(script.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(script)}
    return {
        **HEAD,
        "object": "chat.completion",
        "model": model,
        "choices": [choice],
        "usage": _usage(script),
    }


def error(status: int) -> dict[str, Any]:
    """The body of an error. It quotes the prompt, as real ones may: nobody may pass that on."""
    return {
        "error": {
            "message": "SECRET-IN-PROVIDER-MESSAGE",
            "type": "invalid_request_error" if status < 500 else "server_error",
            "code": f"scripted_{status}",
        }
    }


def failure() -> bytes:
    """An error inside a stream."""
    return _event(error(500))


GARBAGE = b"data: {this is not json\n\n"


def _pieces(script: Script) -> Iterator[dict[str, Any]]:
    """The heads of all calls, then their arguments in turns, as parallel calls may come."""
    for place, call in enumerate(script.calls):
        yield {**_head(place, call), "function": {"name": call.name, "arguments": ""}}
    cut = [call.cut() for call in script.calls]
    for turn in range(max((len(texts) for texts in cut), default=0)):
        for place, texts in enumerate(cut):
            if turn < len(texts):
                index = _index(place, script.calls[place])
                yield {"index": index, "function": {"arguments": texts[turn]}}


def _head(place: int, call: Call) -> dict[str, Any]:
    head = {"index": _index(place, call), "id": call.id, "type": "function"}
    if call.id is None:
        head["id"] = f"call_upstream{place}"
    return {name: value for name, value in head.items() if value != ""}


def _index(place: int, call: Call) -> int:
    return place if call.index is None else call.index


def _finish(script: Script) -> str:
    return "tool_calls" if script.calls and script.finish == "stop" else script.finish


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(script: Script) -> dict[str, int]:
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": script.completion_tokens,
        "total_tokens": script.prompt_tokens + script.completion_tokens,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
