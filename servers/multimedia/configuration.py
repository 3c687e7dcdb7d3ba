"""What `files.toml` says of multimedia: `[media]`, `[caption]` and `[speech]`. Pure."""

import tomllib

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from servers.runtime.settings import Misconfigured

EXTERNAL = "chat.files.external"
"""Role that lets a user's files go to others, unless a table names another."""


class Media(BaseModel):
    """Limits of what is read. Times are those of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ocr: bool = True
    """Whether text in pictures is read; its models take 300 MB."""
    jobs: int = Field(2, ge=1, le=16)
    """Files that are read at a time; of recordings one fewer, so that images need not wait."""
    idle_seconds: float = Field(300, gt=0)
    """After so long without a file the process that holds the models is closed."""
    memory_megabytes: int = Field(1500, ge=200)
    megapixels: float = Field(100, gt=0, le=1000)
    pages: int = Field(20, ge=1)
    location: bool = False
    """Whether the place where a picture was taken is told, in its metadata."""
    minutes: float = Field(60, gt=0)
    frames: int = Field(8, ge=1, le=100)
    image_seconds: float = Field(60, gt=0)
    recording_seconds: float = Field(540, gt=0)


class Caption(BaseModel):
    """Who says what an image shows. Without a model nobody does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field("", max_length=100)
    role: str = Field(EXTERNAL, min_length=1)
    longest_side: int = Field(1024, ge=64, le=4096)


class Speech(BaseModel):
    """Who turns speech into text: the model on this machine, or a service that speaks OpenAI's
    `/audio/transcriptions`, where there is a base URL and the user has the role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str = Field("", pattern=r"^([a-z]{2,3})?$")
    base_url: str = Field("", pattern=r"^(https?://[^\s?#]+)?$")
    model: str = Field("whisper-1", min_length=1)
    key_env: str | None = None
    role: str = Field(EXTERNAL, min_length=1)
    segments: bool = True
    """Whether the service knows `verbose_json`, which tells times; else a part of a minute has
    one."""
    part_seconds: float | None = Field(None, ge=5, le=1200)
    timeout_seconds: float = Field(120, gt=0)

    @property
    def seconds_of_a_part(self) -> float:
        """How much of a recording is sent at a time."""
        return self.part_seconds or (300.0 if self.segments else 60.0)


class Configuration(BaseModel):
    """All of it. Empty, nothing leaves this machine."""

    model_config = ConfigDict(frozen=True)

    media: Media = Media()
    caption: Caption = Caption()
    speech: Speech = Speech()


def configuration_of(text: str, file: str) -> Configuration:
    """The configuration in a TOML text; `file` is its name for complaints. Tables of other servers
    are theirs to read."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file}: not TOML: {error}") from error
    try:
        return Configuration.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise Misconfigured(
            f"{file}: {field}: {first['msg']}; docs/multimedia.md shows what belongs there"
        ) from error
