"""Settings from the environment. The only file that reads it.

Every field is read from `KARI_<NAME>`; `docs/settings.md` is generated from this class.
"""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "KARI_"


class Placement(StrEnum):
    """Where servers run: all in one process, or one process each."""

    TOGETHER = "together"
    SPREAD = "spread"


class Settings(BaseSettings):
    """Every setting, its default and its unit."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    data: Path = Field(
        Path(".kari"), description="Folder of everything that is kept; created with mode 0700."
    )
    placement: Placement = Field(
        Placement.TOGETHER, description="`together` (one process) or `spread` (one per server)."
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that share the ports, each with every server; only when together. "
        "More than one pays where cores are left idle: docs/decisions/workers.md.",
    )
    worker: int = Field(
        1, ge=1, le=64, description="Which of the workers a process is; `kari up` sets it."
    )
    worker_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port on 127.0.0.1 where this worker alone serves what the shared HTTP port "
        "does; `kari up` sets it. 0 is none.",
    )
    http_host: str = Field("127.0.0.1", description="Address of the page and the WebSocket.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of the page and the WebSocket.")
    grpc_host: str = Field("127.0.0.1", description="Address of the gRPC servers.")
    grpc_port: int = Field(
        50051,
        ge=1,
        le=65000,
        description="Port of every server when together; when spread, the first of one port each.",
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65000,
        description="The first of one Prometheus port a server when spread, a worker when there "
        "are several; 0 is off. The gateway always serves `/metrics`.",
    )

    postgres_url: SecretStr | None = Field(
        None, description="`postgresql://...` of a server of yours; unset starts an embedded one."
    )
    redis_url: SecretStr | None = Field(
        None, description="`redis://...` of a server of yours; unset starts an embedded one."
    )
    milvus_url: SecretStr | None = Field(
        None, description="`http://...` of a server of yours; unset starts an embedded one."
    )
    milvus_token: SecretStr | None = Field(None, description="Token of your Milvus, if it asks.")

    objects_url: SecretStr | None = Field(
        None,
        description="`s3://bucket/prefix`, `gs://...`, `az://...` or `file:///...` where files are "
        "kept, with the credentials of its own variables; unset keeps them in the data folder.",
    )
    objects_reserve_bytes: int | None = Field(
        None,
        ge=0,
        description="Free space that files leave on the disk of their folder to everything else; "
        "unset is a twentieth of the disk, at most 1 GiB.",
    )
    files_file: Path | None = Field(
        None,
        description="TOML file of the limits of files and their hooks; unset reads `files.toml` in "
        "the data folder if it is there: docs/files.md.",
    )

    whisper_model: Path | None = Field(
        None,
        description="Folder of a model of speech for faster-whisper; unset takes the one that "
        "`make run EXTRAS=speech` installs: docs/multimedia.md.",
    )

    models_file: Path | None = Field(
        None,
        description="TOML file of model providers and routing; unset reads `models.toml` in the "
        "data folder if it is there, else only the local model is used.",
    )
    tools_file: Path | None = Field(
        None,
        description="TOML file of tools, their limits and MCP servers; unset reads `tools.toml` in "
        "the data folder if it is there, else tools are as they come.",
    )
    identity_key_file: Path | None = Field(
        None,
        description="Ed25519 private key (PEM) that signs access tokens; unset keeps one in the "
        "data folder.",
    )
    mesh_key_file: Path | None = Field(
        None,
        description="Key (32 bytes or more, base64) with which servers prove who they are to each "
        "other; unset keeps one in the data folder.",
    )

    audit_key_file: Path | None = Field(
        None,
        description="Key (64 bytes or more, base64) that signs the audit trail; unset keeps one in "
        "the data folder.",
    )

    access_token_seconds: int = Field(900, ge=5, description="Life of an access token.")
    refresh_token_days: int = Field(30, ge=1, description="Life of a refresh token, unused.")

    max_frame_bytes: int = Field(
        1_048_576, ge=1024, description="Largest WebSocket frame from a client."
    )
    messages_per_minute: int = Field(60, ge=1, description="Messages a user may send in a minute.")
    tenant_messages_per_minute: int = Field(
        3000, ge=1, description="Messages a tenant may send in a minute."
    )
    waiting_turns_per_conversation: int = Field(
        10, ge=1, description="Messages of a conversation that may wait for their turn."
    )
    turns_per_user: int = Field(
        20, ge=1, description="Messages of a user that may be under way or wait for their turn."
    )
    connections_per_user: int = Field(32, ge=1, description="Open sockets of one user.")
    uploads_per_user: int = Field(
        20, ge=1, description="Uploads of a user that may be under way or wait to be gone on with."
    )
    uploads_per_minute: int = Field(
        120, ge=1, description="Uploads a user may begin in a minute over HTTP."
    )
    transfers_per_user: int = Field(
        16,
        ge=1,
        description="Uploads and downloads of a user at once over HTTP; uploads over gRPC as well, "
        "in each process.",
    )
    upload_idle_seconds: float = Field(
        120.0,
        gt=0,
        description="An upload of which nothing comes for so long is put down: what came is kept, "
        "and it goes on there.",
    )
    origins: str = Field(
        "",
        description="Origins beside the gateway's own whose pages may use its cookies, separated "
        "by commas, such as `https://chat.example.org`.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses of reverse proxies, separated by commas, whose `X-Forwarded-For` "
        "and `X-Forwarded-Proto` count; unset believes nobody.",
    )
    slow_reader_seconds: float = Field(
        20.0, gt=0, description="A socket whose reader takes nothing for so long is closed (3008)."
    )

    context_tokens: int = Field(
        4096,
        ge=256,
        description="Most tokens of a context, whatever the model's window; tools and what they "
        "give stand beside it.",
    )
    stream_ttl_seconds: int = Field(
        3600, ge=1, description="How long the events of a stream can be replayed."
    )
    memory_model: str = Field(
        "",
        max_length=100,
        description="Model that finds facts to remember in messages, `provider/model`, beside the "
        "fixed rules; unset uses the rules alone. Each message that says something is sent to it.",
    )
    expose_reasoning: bool = Field(False, description="Send a model's reasoning to clients.")
    turn_lease_seconds: float = Field(
        15.0, gt=0, description="A turn whose orchestrator is silent for so long is taken over."
    )
    turn_deadline_seconds: float = Field(
        300.0, gt=0, le=300, description="Longest time a turn may take; no model is given longer."
    )
    tool_rounds: int = Field(
        8,
        ge=1,
        le=100,
        description="Times that a model may ask for tools in a turn; then it answers without.",
    )
    tool_calls: int = Field(
        32, ge=1, le=100, description="Calls of tools in a turn; then it is answered without."
    )
    tool_result_share: float = Field(
        0.2,
        gt=0,
        le=0.5,
        description="Part of a model's window that the result of one call may take; the rest of a "
        "longer one is left out of the prompt.",
    )
    approval_seconds: float = Field(
        86_400.0,
        gt=0,
        le=2_592_000,
        description="How long a turn waits for its user to allow a tool; then it is refused.",
    )

    summary_turns: int = Field(
        10,
        ge=2,
        le=200,
        description="Turns after which a rolling summary is made of them: about what a prompt of "
        "4096 tokens has room for, so that a turn is summarized when it leaves the prompts.",
    )
    summary_rest_seconds: float = Field(
        1800.0,
        gt=0,
        description="A conversation in which nothing is said for so long rests, and what was said "
        "since its last rest is summarized.",
    )
    summary_model: str = Field(
        "",
        max_length=100,
        description="Model that writes summaries, `provider/model`; unset chooses sentences that "
        "were said, which needs none.",
    )

    capsules: str = Field(
        "",
        description="Folders of capsules beside the built-in ones, separated as in PATH; each "
        "holds capsules or is one. `capsules` in the data folder is looked into as well.",
    )
    capsule_keys: Path | None = Field(
        None,
        description="TOML file of the public keys that may sign capsules, by name: "
        '`alice = "base64"`; `kari capsule keygen` makes a pair.',
    )
    capsules_signed: bool = Field(
        False, description="Run only capsules from outside that one of these keys has signed."
    )

    capsule_runs_per_user: int = Field(
        8, ge=1, le=1000, description="Runs of capsules of one user at once in a process."
    )
    capsule_runs: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Runs of capsules of all users at once in a process; each of one from outside "
        "may have four processes with 256 MB each.",
    )

    code_runners: str = Field(
        "monty",
        description="What runs code, separated by commas, the default first: `monty` (a subset of "
        "Python) and `cpython` (all of it); empty turns running code off. docs/code.md.",
    )
    code_cpython_role: str = Field(
        "",
        max_length=100,
        description="Role that CPython asks of a user beyond `chat.tools.code`, such as "
        "`chat.admin`; unset asks for none.",
    )
    code_seconds: float = Field(
        5.0, ge=0.1, le=60, description="Longest time of a program on the clock."
    )
    code_memory_bytes: int = Field(
        256_000_000,
        ge=64_000_000,
        le=8_000_000_000,
        description="Most memory of a program, all of its processes together.",
    )
    code_output_bytes: int = Field(
        100_000, ge=1000, le=500_000, description="Most that a program may print, both streams."
    )
    code_processes: int = Field(
        8, ge=1, le=64, description="Most processes and threads of a program of CPython."
    )
    code_runs_per_user: int = Field(
        2, ge=1, le=100, description="Programs of one user that may run at once in a process."
    )
    code_runs: int = Field(
        8, ge=1, le=1000, description="Programs of all users that may run at once in a process."
    )
    code_warm_workers: int = Field(
        2,
        ge=0,
        le=64,
        description="Workers of each runner that are started before they are needed, about 20 MB "
        "each with Monty, 8 MB with CPython; 0 starts one when it is needed.",
    )
    code_modules: str = Field(
        "",
        description="Modules that programs of CPython may import, separated by commas; unset is a "
        "list for calculating, parsing and formatting, `*` the whole standard library. A policy, "
        "not a wall: the wall is the jail.",
    )
    code_monty_modules: str = Field(
        "*", description="The same for Monty, of those that it has itself."
    )
    code_functions: str = Field(
        "*",
        description="Functions of the host that programs of Monty may call, separated by commas: "
        "`mean`, `median`, `stdev`, `csv_rows`, `uuid4`; `*` is all.",
    )

    drain_seconds: float = Field(
        10.0, ge=0, description="How long a stopping server lets calls under way finish."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`debug`, `info`, `warning` or `error`."
    )
    otlp_endpoint: str | None = Field(
        None, description="`http://host:4317` of an OpenTelemetry collector; unset exports nothing."
    )

    @field_validator("workers")
    @classmethod
    def _together(cls, workers: int, given: ValidationInfo) -> int:
        if workers > 1 and given.data.get("placement") is Placement.SPREAD:
            raise ValueError("workers share the ports of one process; there are none when spread")
        return workers

    @property
    def capsule_folders(self) -> list[Path]:
        """Folders of capsules from outside the tree that are named, in the order in which they
        count."""
        return [Path(each) for each in self.capsules.split(os.pathsep) if each.strip()]

    @property
    def several_workers(self) -> bool:
        """Whether other processes listen on the ports of this one."""
        return self.workers > 1

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The further origins, one by one."""
        return frozenset(filter(None, (origin.strip() for origin in self.origins.split(","))))


class Misconfigured(Exception):
    """A setting, or a file that a setting names, is wrong. The message is for the person who wrote
    it: what, where, and the way out."""


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with `given` before them. Misconfigured, naming each wrong
    variable, if they are not valid."""
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "\n".join(f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors())
        raise Misconfigured(f"{wrong}\ndocs/settings.md says what belongs there") from None


def unknown_variables() -> list[str]:
    """Variables that look like settings and are none: misspelt ones, mostly."""
    known = {_variable((name,)) for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + "_".join(map(str, location)).upper()


def secret_from_environment(variable: str) -> str | None:
    """Value of a variable that the configuration names, such as a provider's key; None if unset."""
    return os.environ.get(variable) or None


def environment_of(names: Iterable[str]) -> dict[str, str]:
    """Those of the named variables that this process has, for a child that gets no others."""
    return {name: os.environ[name] for name in names if name in os.environ}


def child_environment(**changes: str) -> dict[str, str]:
    """This process's environment for a child process, with `changes` on top."""
    return {**os.environ, **changes}
