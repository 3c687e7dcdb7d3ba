"""Answers in the format of OpenAI's chat completions API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from tests.upstream.script import Script

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000}


def events(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """Everything up to the end of the text."""
    head = {**HEAD, "model": model}
    yield _event({**head, "choices": [_choice({"role": "assistant", "content": ""})]})
    for text in script.reasoning:
        yield _event({**head, "choices": [_choice({"reasoning_content": text})]})
    for text in script.chunks:
        yield _event({**head, "choices": [_choice({"content": text})]})


def completion(model: str, script: Script, *, usage: bool) -> Iterator[bytes]:
    """What says that the answer is complete."""
    head = {**HEAD, "model": model}
    yield _event({**head, "choices": [_choice({}, script.finish)]})
    if usage and script.reports_usage:
        yield _event({**head, "choices": [], "usage": _usage(script)})
    yield b"data: [DONE]\n\n"


def whole(model: str, script: Script) -> dict[str, Any]:
    """The answer to a request that does not stream."""
    message = {"role": "assistant", "content": "".join(script.chunks)}
    choice = {"index": 0, "message": message, "finish_reason": script.finish}
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


def _choice(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(script: Script) -> dict[str, int]:
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": script.completion_tokens,
        "total_tokens": script.prompt_tokens + script.completion_tokens,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
