"""Folders are looked at one by one: what is wrong with one is told of that one."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from servers.capsules.catalogue import Catalogue, Place
from servers.capsules.outside import Outside
from tests.capsules.workshop import handler, manifest, write

LONGEST_PATH = 4096


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    """The jail."""
    made = Outside()
    yield made
    await made.close()


def too_long(folder: Path) -> Path:
    """A folder that lies so deep that one in it, which is there, has too long a path."""
    while len(str(folder)) < LONGEST_PATH - 250:
        folder /= "x" * 150
        folder.mkdir()
    number = os.open(folder, os.O_RDONLY)
    os.mkdir("y" * 250, dir_fd=number)
    os.close(number)
    return folder


async def test_what_cannot_be_looked_into_is_told_and_the_others_are_there(
    outside: Outside, tmp_path: Path
) -> None:
    """Whatever the system says of a folder, to whatever user: here that its path is too long."""
    place = too_long(tmp_path)
    write(place / "good", manifest=manifest("good"), handler=handler("return {}"))
    places = (place / ("y" * 250), place)
    catalogue = Catalogue([Place(each, False, outside.handler, {}) for each in places])
    await catalogue.look()
    told = [(entry.id[:12], entry.wrong) for entry in catalogue.all()]
    assert told == [("capsule.good", ""), ("capsule.yyyy", "cannot be read: File name too long")]


async def test_hostile_folders_do_not_hold_up_the_others(outside: Outside, tmp_path: Path) -> None:
    """A manifest that is a pipe, or a device, is not waited for; whatever a handler raises as it
    is imported, it is that one that cannot be run."""
    write(tmp_path / "good", manifest=manifest("good"), handler=handler("return {}"))
    raises = "from servers.capsules.skill import SkillError\nraise SkillError('REASON_X', 'y')\n"
    write(tmp_path / "raises", manifest=manifest("raises"), handler=raises + handler("return {}"))
    for name in ("pipe", "zero", "caf\udce9"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe/capsule.toml")
    (tmp_path / "zero/capsule.toml").symlink_to("/dev/zero")
    (tmp_path / "caf\udce9/handler.py").write_text("")
    catalogue = Catalogue([Place(tmp_path, False, outside.handler, {})])
    async with asyncio.timeout(60):
        await catalogue.look()
    assert {entry.id: entry.wrong.partition(";")[0] for entry in catalogue.all()} == {
        "capsule.good": "",
        "capsule.raises": "handler.py: importing it ended with REASON_X",
        "capsule.pipe": "capsule.toml: is no plain file",
        "capsule.zero": "capsule.toml: is a symbolic link",
        "capsule.caf\\udce9": "capsule.toml is missing",
    }
