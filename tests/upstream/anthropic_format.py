"""Answers in the format of Anthropic's messages API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.upstream.script import Script

FINISHES = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def events(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """Everything up to the end of the text."""
    yield _event("message_start", message=_message(model, script, []))
    yield _event("ping")
    index = 0
    if script.reasoning:
        yield from _block(index, "thinking", script.reasoning)
        index += 1
    yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    for text in script.chunks:
        yield _delta(index, {"type": "text_delta", "text": text})


def completion(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """What says that the answer is complete."""
    yield _event("content_block_stop", index=1 if script.reasoning else 0)
    delta = {"stop_reason": FINISHES[script.finish], "stop_sequence": None}
    tokens = {"output_tokens": script.completion_tokens}
    yield _event("message_delta", delta=delta, usage=tokens)
    yield _event("message_stop")


def whole(model: str, script: Script) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    text = {"type": "text", "text": "".join(script.chunks)}
    return {**_message(model, script, [text]), "stop_reason": FINISHES[script.finish]}


def error(status: int) -> dict[str, Any]:
    """The body of an error. It quotes the prompt, as real ones may: nobody may pass that on."""
    kinds = {429: "rate_limit_error", 401: "authentication_error", 529: "overloaded_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": "SECRET-IN-PROVIDER-MESSAGE"}}


def failure() -> bytes:
    """An error inside a stream."""
    return _event("error", error=error(529)["error"])


GARBAGE = b"event: content_block_delta\ndata: {this is not json\n\n"


def _block(index: int, kind: str, texts: tuple[str, ...]) -> Iterator[bytes]:
    start = {"type": kind, kind: "", "signature": ""}
    yield _event("content_block_start", index=index, content_block=start)
    for text in texts:
        yield _delta(index, {"type": f"{kind}_delta", kind: text})
    yield _delta(index, {"type": "signature_delta", "signature": "c2lnbmVk"})
    yield _event("content_block_stop", index=index)


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


def _delta(index: int, delta: dict[str, str]) -> bytes:
    return _event("content_block_delta", index=index, delta=delta)


def _event(kind: str, **fields: Any) -> bytes:
    data = msgspec.json.encode({"type": kind, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
