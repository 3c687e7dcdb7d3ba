"""The hooks of `files.toml`: text in, configuration out. Pure."""

import tomllib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from servers.hook_enabled_file.words import WordRule
from servers.runtime.settings import Misconfigured

BUILT_IN = ("scan", "archives", "policy", "strip_metadata", "text", "index", "summary")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScanTable(_Table):
    """The hook `scan`."""

    seconds: float = Field(60.0, gt=0, le=3600)
    rules: str = ""
    """File of further YARA rules."""
    clamav: str = Field("", pattern=r"^$|^unix:///.+|^tcp://[^/]+$")


class ArchivesTable(_Table):
    """The hook `archives`."""

    seconds: float = Field(120.0, gt=0, le=3600)
    depth: int = Field(5, ge=1, le=20)
    files: int = Field(10_000, ge=1)
    ratio: float = Field(200.0, gt=1)
    total_megabytes: float = Field(4_000, gt=0)
    encrypted: Literal["refuse", "allow"] = "refuse"
    unknown: Literal["refuse", "allow"] = "refuse"

    def bounds(self) -> dict[str, object]:
        """As the reader of archives takes them."""
        return {
            "depth": self.depth,
            "files": self.files,
            "ratio": self.ratio,
            "total_bytes": int(self.total_megabytes * 1_000_000),
            "encrypted": self.encrypted,
            "unknown": self.unknown,
        }


class PolicyTable(_Table):
    """The hook `policy`."""

    seconds: float = Field(90.0, gt=0, le=3600)
    active: tuple[
        Literal["pdf_script", "pdf_embedded_file", "office_macro", "html_script"], ...
    ] = ()
    rules: tuple[WordRule, ...] = ()
    unread: Literal["refuse", "allow"] = "refuse"
    """What becomes of a file whose text cannot be read to its end, where there are rules."""


class TextTable(_Table):
    """The hook `text`."""

    seconds: float = Field(60.0, gt=0, le=3600)
    pages: int = Field(2000, ge=1)
    characters: int = Field(8_000_000, ge=1000, le=50_000_000)
    rows: int = Field(200_000, ge=1)

    def bounds(self) -> dict[str, int]:
        """As the readers take them."""
        return {"pages": self.pages, "characters": self.characters, "rows": self.rows}


class OwnTable(_Table):
    """A hook of the installation's own: rules or a capsule."""

    name: Name
    kind: Literal["guard", "enrich"]
    rules: str = ""
    """File of its YARA rules."""
    capsule: str = Field("", pattern=r"^$|^capsule\.[a-z][a-z0-9_]*$")
    """Id of the capsule that is asked."""
    text: bool = True
    """Whether the capsule is given the text of the file."""
    description: str = Field("", max_length=300)
    types: tuple[str, ...] = ("*",)
    seconds: float = Field(60.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _is_one(self) -> "OwnTable":
        if bool(self.rules) == bool(self.capsule):
            raise ValueError("a hook has either `rules` or a `capsule`")
        return self

    @property
    def told(self) -> str:
        """Its description, or what it is."""
        what = f"Asks {self.capsule}." if self.capsule else "Rules of this installation."
        return self.description or what


class Timed(_Table):
    """A hook of which nothing but its time can be said."""

    seconds: float = Field(60.0, gt=0, le=3600)


class HooksTable(_Table):
    """All hooks."""

    order: tuple[Name, ...] = BUILT_IN
    off: tuple[Name, ...] = ()
    patience_minutes: float = Field(60.0, ge=0, le=1440)
    """How long a file waits in quarantine while what a guard needs is away."""
    scan: ScanTable = ScanTable()
    archives: ArchivesTable = ArchivesTable()
    policy: PolicyTable = PolicyTable()
    strip_metadata: Timed = Timed()
    text: TextTable = TextTable()
    summary: Timed = Timed()
    index: Timed = Timed(seconds=120.0)
    own: tuple[OwnTable, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> "HooksTable":
        own = [hook.name for hook in self.own]
        if len(set(own)) != len(own) or set(own) & set(BUILT_IN):
            raise ValueError("names of `own` hooks have to be new, each once")
        if unknown := {*self.order, *self.off} - {*BUILT_IN, *own}:
            raise ValueError(f"there is no hook {sorted(unknown)[0]}")
        if len(set(self.order)) != len(self.order):
            raise ValueError("`order` names each hook once")
        return self


def hooks_of(text: str, file: str) -> HooksTable:
    """The hooks in a TOML text; `file` is its name for complaints. Tables of other servers are
    theirs to read."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file}: not TOML: {error}") from error
    try:
        return HooksTable.model_validate(raw.get("hooks", {}))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["hooks", *map(str, first["loc"])])
        raise Misconfigured(
            f"{file}: {field}: {first['msg']}; docs/files.md shows what belongs there"
        ) from error
