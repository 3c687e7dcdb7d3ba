"""A developer's way from nothing to a capsule that runs, in a whole Kari, as docs/capsules.md has
it; and a run that goes on after every process was killed."""

import asyncio
import json
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from cli.capsule_commands import capsule
from servers.runtime.settings import child_environment
from tests.capsules.workshop import handler, manifest, write
from tests.running import ROOT, Kari

COUNTER = """
done = skill.state or 0
while done < 3:
    done += 1
    await skill.checkpoint(done)
    await skill.progress(f"at {done}")
    if done == 2 and not skill.state:
        import asyncio
        await asyncio.sleep(600)
return {"done": done, "from": skill.state, "word": skill.input["word"]}
"""


@pytest.fixture
def kari_capsule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`kari capsule` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    yield lambda *words: CliRunner().invoke(capsule, words)  # type: ignore[misc]  # a fixture
    structlog.reset_defaults()


def test_from_nothing_to_a_capsule_that_is_signed(
    kari_capsule: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written, tested, validated, signed; damaged it is refused."""
    assert "kari capsule validate hello" in kari_capsule("new", "hello").stdout
    assert "there is hello already" in kari_capsule("new", "hello").stderr
    assert "a name is small letters" in kari_capsule("new", "Hello!").stderr
    tested = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "hello"),
        env=child_environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in tested.stdout, tested
    made = kari_capsule("keygen", "alice", "--key", "alice.pem")
    assert re.fullmatch(r'alice = ".{44}"\n', made.stdout)
    assert os.stat("alice.pem").st_mode & 0o777 == 0o600
    assert "cannot be written" in kari_capsule("keygen", "alice", "--key", "alice.pem").stderr
    Path("keys.toml").write_text(made.stdout)
    signed = kari_capsule("sign", "hello", "--key", "alice.pem")
    assert signed.stdout == "capsule.hello 0.1.0 is signed by alice\n"
    monkeypatch.setenv("KARI_CAPSULE_KEYS", str(tmp_path / "keys.toml"))
    told = kari_capsule("validate", "hello")
    assert told.stdout == "capsule.hello 0.1.0 is in order, signed by alice\n"
    Path("hello/more.py").touch()
    told = kari_capsule("validate", "hello")
    assert told.exit_code == 1
    assert "is not that of 'alice' over these files" in told.stderr
    Path("hello/handler.py").write_text("import not_there\n\nasync def run(skill):\n  pass\n")
    assert kari_capsule("sign", "hello", "--key", "alice.pem").exit_code == 0
    told = kari_capsule("validate", "hello")
    assert told.exit_code == 1
    wrong = "handler.py line 1: ModuleNotFoundError (No module named 'not_there')"
    assert told.stderr.splitlines()[-1] == wrong


@pytest.mark.timeout(240)
async def test_a_run_goes_on_after_everything_was_killed(tmp_path: Path) -> None:
    """By the tool, through the hub, from the terminal."""
    outside = tmp_path / "outside"
    write(
        outside / "counter",
        manifest=manifest("counter", "resumable = true").replace(
            '[input_schema]\ntype = "object"',
            '[input_schema]\ntype = "object"\nrequired = ["word"]',
        ),
        handler=handler(COUNTER),
    )
    kari = Kari.at(tmp_path / "data", KARI_CAPSULES=str(outside))
    await kari.start()
    try:
        assert "capsule.story_generator" in await until_listed(kari, "capsule.counter")
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "capsule", "run", "counter"),
            *("--input", '{"word": "yes"}'),
            cwd=ROOT,
            env=kari.environment(),
            stderr=PIPE,
        )
        assert running.stderr is not None
        async with asyncio.timeout(60):
            while b"at 2" not in await running.stderr.readline():
                pass
        await kari.kill_all()
        assert await running.wait() == 1
        await running.stderr.read()
        await kari.start()
        run = re.search(r"run_[0-9a-f]{32}", (await kari.command("capsule", "runs"))[1])
        assert run
        printed = await until_resumed(kari, run[0])
        result = json.loads(printed[printed.index("{") :])
        assert result == {"done": 3, "from": 2, "word": "yes"}
    finally:
        await kari.stop()


async def until_listed(kari: Kari, capsule_id: str) -> str:
    """What `kari capsule list` prints, once it has the capsule and that can be run."""
    async with asyncio.timeout(60):
        while True:
            _, printed = await kari.command("capsule", "list")
            line = next((each for each in printed.splitlines() if capsule_id in each), "")
            if line and "unavailable" not in line:
                return printed


async def until_resumed(kari: Kari, run_id: str) -> str:
    """What is printed of a run that goes on; until its claim has run out it is under way."""
    async with asyncio.timeout(60):
        while True:
            code, printed = await kari.command("capsule", "run", "counter", "--resume", run_id)
            if code == 0:
                return printed
            assert "the run is under way" in printed, printed
