"""Answers in the format of Anthropic's messages API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.upstream.script import Call, Script

FINISHES = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
FINISHES_AFTER_CALLS = {**FINISHES, "stop": "tool_use"}


def events(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """Everything up to the end of the text and the calls, the last block still open."""
    yield _event("message_start", message=_message(model, script, []))
    yield _event("ping")
    index = 0
    if script.reasoning:
        yield from _thinking(index, script.reasoning)
        index += 1
    if script.chunks or not script.calls:
        yield _start(index, {"type": "text", "text": ""})
        for text in script.chunks:
            yield _delta(index, {"type": "text_delta", "text": text})
        index += 1
    for place, call in enumerate(script.calls):
        if index and (place or script.chunks):
            yield _event("content_block_stop", index=_index(index - 1, place - 1, script))
        yield from _use(_index(index, place, script), place, call)
        index += 1


def completion(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """What says that the answer is complete."""
    blocks = bool(script.reasoning) + bool(script.chunks or not script.calls) + len(script.calls)
    yield _event("content_block_stop", index=_index(blocks - 1, len(script.calls) - 1, script))
    delta = {"stop_reason": _finish(script), "stop_sequence": None}
    tokens = {"output_tokens": script.completion_tokens}
    yield _event("message_delta", delta=delta, usage=tokens)
    yield _event("message_stop")


def whole(model: str, script: Script) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    content: list[Any] = []
    if script.chunks or not script.calls:
        content.append({"type": "text", "text": "".join(script.chunks)})
    for place, call in enumerate(script.calls):
        content.append({**_head(place, call), "input": msgspec.json.decode(call.arguments)})
    return {**_message(model, script, content), "stop_reason": _finish(script)}


def error(status: int) -> dict[str, Any]:
    """The body of an error. It quotes the prompt, as real ones may: nobody may pass that on."""
    kinds = {429: "rate_limit_error", 401: "authentication_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": "SECRET-IN-PROVIDER-MESSAGE"}}


def failure() -> bytes:
    """An error inside a stream."""
    return _event("error", error=error(529)["error"])


GARBAGE = b"event: content_block_delta\ndata: {this is not json\n\n"


def _thinking(index: int, texts: tuple[str, ...]) -> Iterator[bytes]:
    yield _start(index, {"type": "thinking", "thinking": "", "signature": ""})
    for text in texts:
        yield _delta(index, {"type": "thinking_delta", "thinking": text})
    yield _delta(index, {"type": "signature_delta", "signature": "c2lnbmVk"})
    yield _event("content_block_stop", index=index)


def _use(index: int, place: int, call: Call) -> Iterator[bytes]:
    yield _start(index, {**_head(place, call), "input": {}})
    for piece in ["", *call.cut()]:
        yield _delta(index, {"type": "input_json_delta", "partial_json": piece})


def _head(place: int, call: Call) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id or f"toolu_{place}", "name": call.name}


def _index(index: int, place: int, script: Script) -> int:
    """The index of a block; of a call's, the one it was given."""
    given = script.calls[place].index if place >= 0 else None
    return index if given is None else given


def _finish(script: Script) -> str:
    return (FINISHES_AFTER_CALLS if script.calls else FINISHES)[script.finish]


def _message(model: str, script: Script, content: list[Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": script.prompt_tokens, "output_tokens": 1},
    }


def _start(index: int, block: dict[str, Any]) -> bytes:
    return _event("content_block_start", index=index, content_block=block)


def _delta(index: int, delta: dict[str, str]) -> bytes:
    return _event("content_block_delta", index=index, delta=delta)


def _event(kind: str, **fields: Any) -> bytes:
    data = msgspec.json.encode({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
