"""What a capsule is asked about a file, and what it may answer. Pure."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kari.conversation_models.v1.file_pb2 import File

MOST_TEXT = 100_000
"""Characters of the text that a capsule is given."""
MOST_QUESTION = 190_000
"""Characters of the whole question as JSON: capsules take 200,000."""
MOST_METADATA = 8_000
"""Characters of what a capsule marks a file with, as JSON."""
Reason = Annotated[str, Field(max_length=900)]


class Answer(BaseModel):
    """What a capsule says of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Literal["pass", "refuse", "partial"]
    reason: Reason = ""
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("metadata")
    @classmethod
    def _is_short(cls, found: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(found)) > MOST_METADATA:
            raise ValueError("it is too long")
        try:
            json_format.ParseDict(found, Struct())
        except (json_format.ParseError, OverflowError, RecursionError) as wrong:
            raise ValueError("it is nothing that a file can be marked with") from wrong
        return found


def question(file: File, texts: Sequence[str], left_out: Sequence[str]) -> str:
    """The input of a capsule, as JSON: the file, its text up to a bound, what is missing of it."""
    text, missing = "\n".join(texts), list(left_out)
    length = min(len(text), MOST_TEXT)
    while True:
        cut = [f"the text behind the first {length} characters"] if length < len(text) else []
        asked = {
            "file_id": file.id,
            "name": file.name,
            "content_type": file.content_type,
            "size_bytes": file.size_bytes,
            "text": text[:length],
            "left_out": [*missing[:20], *cut],
        }
        written = json.dumps(asked, ensure_ascii=False)
        if len(written) <= MOST_QUESTION:
            return written
        length //= 2  # what has to be escaped takes more room


def answer_of(written: str) -> Answer | None:
    """The answer of a capsule; None if it is none."""
    try:
        return Answer.model_validate_json(written)
    except ValidationError:
        return None
