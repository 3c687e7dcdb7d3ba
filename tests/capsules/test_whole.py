"""A developer's way from nothing to a capsule that runs, in a whole Kari, as docs/capsules.md has
it; and a run that goes on after every process was killed."""

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

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


async def shell(folder: Path, *words: str, **settings: str) -> tuple[int, str]:
    """A command in a folder; its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env=child_environment(PYTHONPATH=str(ROOT), **settings),
        stdout=PIPE,
        stderr=STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_from_nothing_to_a_capsule_that_runs(tmp_path: Path) -> None:
    """Written, tested, validated, signed, served, run; damaged it is refused."""
    kari = (sys.executable, "-m", "cli.main", "capsule")
    code, printed = await shell(tmp_path, *kari, "new", "hello")
    assert code == 0, printed
    code, printed = await shell(
        tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "hello"
    )
    assert "2 passed" in printed
    code, printed = await shell(tmp_path, *kari, "validate", "hello")
    assert printed == "capsule.hello 0.1.0 is in order\n"
    code, printed = await shell(tmp_path, *kari, "keygen", "alice", "--key", "alice.pem")
    line = re.search(r'^alice = ".+"$', printed, re.MULTILINE)
    assert line
    assert os.stat(tmp_path / "alice.pem").st_mode & 0o777 == 0o600
    (tmp_path / "keys.toml").write_text(line[0])
    code, printed = await shell(tmp_path, *kari, "sign", "hello", "--key", "alice.pem")
    assert printed == "capsule.hello 0.1.0 is signed by alice\n"
    keys = {"KARI_CAPSULE_KEYS": str(tmp_path / "keys.toml")}
    code, printed = await shell(tmp_path, *kari, "validate", "hello", **keys)
    assert printed == "capsule.hello 0.1.0 is in order, signed by alice\n"
    (tmp_path / "hello/more.py").write_text("")
    code, printed = await shell(tmp_path, *kari, "validate", "hello", **keys)
    assert code == 1
    assert "is not that of 'alice' over these files" in printed
    (tmp_path / "hello/handler.py").write_text(
        "import not_there\n\nasync def run(skill):\n  pass\n"
    )
    code, printed = await shell(tmp_path, *kari, "validate", "hello")
    assert code == 1
    assert printed == "handler.py line 1: ModuleNotFoundError (No module named 'not_there')\n"


async def test_a_run_goes_on_after_everything_was_killed(tmp_path: Path) -> None:
    """By the tool, through the hub, from the terminal; unsigned ones do not run where signatures
    are asked for."""
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
        code, printed = await until_listed(kari, "capsule.counter")
        assert "capsule.story_generator" in printed
        code, printed = await kari.command("capsule", "run", "counter")
        assert code == 1
        assert "word" in printed
        running = asyncio.create_task(
            kari.command("capsule", "run", "counter", "--input", '{"word": "yes"}')
        )
        while "can go on" not in (listed := (await kari.command("capsule", "runs"))[1]):
            assert not running.done(), running.result()
        await until_two(kari)
        await kari.kill_all()
        assert (await running)[0] == 1
        await kari.start()
        await until_listed(kari, "capsule.counter")
        run = re.search(r"run_[0-9a-f]{32}", listed)
        assert run
        code, printed = await kari.command("capsule", "run", "counter", "--resume", run[0])
        assert code == 0, printed
        result = json.loads(printed[printed.index("{") :])
        assert result == {"done": 3, "from": 2, "word": "yes"}
        assert "is done" in (await kari.command("capsule", "runs"))[1]
    finally:
        await kari.stop()


async def until_listed(kari: Kari, capsule_id: str) -> tuple[int, str]:
    """What `kari capsule list` prints, once it has the capsule and that can be run."""
    async with asyncio.timeout(30):
        while True:
            code, printed = await kari.command("capsule", "list")
            line = next((each for each in printed.splitlines() if capsule_id in each), "")
            if line and "unavailable" not in line:
                return code, printed


async def until_two(kari: Kari) -> None:
    """Returns when the run has kept two checkpoints."""
    async with asyncio.timeout(30):
        while not re.search(r" 2 +can go on", (await kari.command("capsule", "runs"))[1]):
            pass
