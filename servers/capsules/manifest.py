"""The manifest of a capsule, read and checked: `capsule.toml`. Pure."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from servers.runtime.schemas import BadSchema, Schema

FILE = "capsule.toml"
HANDLER = "handler.py"
PROMPTS = "prompts"

CapsuleKind = Literal[
    "reasoning",
    "memory",
    "neuro_recall",
    "response",
    "observation",
    "security",
    "integration",
    "predictive",
    "utility",
    "metacognitive",
    "personalization",
    "creative",
    "autonomous",
    "devops",
]
Capability = Literal["model", "memory", "search", "history", "tools"]
Line = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
ToolId = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)*$", max_length=200)
]


class BrokenCapsule(Exception):
    """A folder is no capsule that could run. The message is for who wrote it: file, field or line,
    what is wrong, and the way out."""


class SecurityPolicy(BaseModel):
    """What a capsule may do by itself, beside what it asks its skill for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    allow_network_access: bool = False
    allow_file_system_access: bool = False
    max_execution_time: Annotated[int, Field(ge=1, le=600)] = 60


class Manifest(BaseModel):
    """What a capsule is and what it may do. `max_tokens` and `temperature` bound each text that a
    model writes for it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: Annotated[str, StringConstraints(pattern=r"^capsule\.[a-z][a-z0-9_]{0,59}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    version: Annotated[
        str, StringConstraints(pattern=r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
    ]
    description: Line
    type: CapsuleKind
    capabilities: Annotated[list[Capability], Field(max_length=5)] = []
    required_roles: Annotated[list[Line], Field(max_length=20)] = []
    allowed_tools: Annotated[list[ToolId], Field(max_length=200)] = []
    security_policy: SecurityPolicy = SecurityPolicy()
    input_schema: dict[str, Any]
    result_schema: dict[str, Any] | None = None
    prompts: Annotated[list[Line], Field(max_length=50)] = []
    max_tokens: Annotated[int, Field(ge=1, le=32_000)] = 1024
    temperature: Annotated[float, Field(ge=0, le=2, strict=False)] = 0.7
    auditable: bool = True
    resumable: bool = False
    side_effects: Literal["none", "conversation", "beyond"] = "none"


def manifest_of(files: Mapping[str, bytes]) -> Manifest:
    """The manifest among the files of a folder, by their paths; BrokenCapsule names file and field
    of everything that is wrong."""
    raw = _toml(files)
    for field in ("input_schema", "result_schema"):
        if isinstance(raw.get(field), str):
            raw[field] = _schema_file(field, raw[field], files)
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        raise BrokenCapsule("\n".join(map(_told, error.errors()))) from None
    _check(manifest, files)
    return manifest


def _toml(files: Mapping[str, bytes]) -> dict[str, Any]:
    if FILE not in files:
        raise BrokenCapsule(f"{FILE} is missing; `kari capsule new` writes one")
    try:
        return tomllib.loads(files[FILE].decode())
    except UnicodeDecodeError as error:
        raise BrokenCapsule(f"{FILE}: is not UTF-8, from byte {error.start} on") from None
    except tomllib.TOMLDecodeError as error:
        where = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
        place = f"{FILE} line {where[2]}: {where[1]}" if where else f"{FILE}: {error}"
        raise BrokenCapsule(place) from None
    except RecursionError:
        raise BrokenCapsule(f"{FILE}: is nested too deeply") from None


def _schema_file(field: str, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    if name not in files:
        raise BrokenCapsule(f"{FILE}: {field}: there is no file {name} in the folder")
    try:
        schema = json.loads(files[name])
    except (ValueError, RecursionError) as error:
        line = f" line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BrokenCapsule(f"{name}{line}: is not JSON") from None
    if not isinstance(schema, dict):
        raise BrokenCapsule(f"{name}: is not a JSON object")
    return schema


PATTERNS: Mapping[str, str] = {
    "id": "has to be `capsule.` and a name of small letters, digits and _, such as "
    "capsule.web_researcher",
    "version": "has to be a semantic version such as 1.0.0",
}


def _told(error: Any) -> str:
    field = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"{FILE}: {field}: there is no such field; docs/capsules.md lists them"
    message = error["msg"][:1].lower() + error["msg"][1:]
    if error["type"] == "string_pattern_mismatch":
        message = PATTERNS.get(field, "is not the id of a tool")
    given = "" if error["type"] == "missing" else f", not {_shown(error['input'])}"
    return f"{FILE}: {field}: {message}{given}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _check(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    wrong = [*_wrong_files(manifest, files), *_wrong_together(manifest), *_wrong_schemas(manifest)]
    if wrong:
        raise BrokenCapsule("\n".join(wrong))


def _wrong_files(manifest: Manifest, files: Mapping[str, bytes]) -> Sequence[str]:
    wrong = list[str]()
    if HANDLER not in files:
        wrong.append(f"{HANDLER} is missing: it has `async def run(skill)`")
    for number, prompt in enumerate(manifest.prompts):
        path = f"{PROMPTS}/{prompt}.j2"
        if path not in files:
            wrong.append(f"{FILE}: prompts.{number}: there is no file {path} in the folder")
    return wrong


def _wrong_together(manifest: Manifest) -> Sequence[str]:
    if manifest.allowed_tools and "tools" not in manifest.capabilities:
        return [f'{FILE}: allowed_tools: needs "tools" among the capabilities']
    if manifest.id in manifest.allowed_tools:
        return [f"{FILE}: allowed_tools: a capsule may not call itself"]
    return []


def _wrong_schemas(manifest: Manifest) -> Sequence[str]:
    wrong = list[str]()
    for field in ("input_schema", "result_schema"):
        schema = getattr(manifest, field)
        try:
            if schema is not None:
                Schema(schema)
        except BadSchema as error:
            wrong.append(f"{FILE}: {field}{error}")
    if manifest.input_schema.get("type") != "object":
        wrong.append(f'{FILE}: input_schema.type: has to be "object": an input is one')
    return wrong
