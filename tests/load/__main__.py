"""`make bench`: starts Kari as users do, loads it, prints what was measured beside the targets.

`OUT=new.json` keeps the figures, `COMPARE=old.json` prints old, new and change, `ONLY=name` (or
several with commas) runs a part, `SHORT=1` takes under a minute, `PROFILE=out.svg` draws where
Kari's CPU goes under the load (it needs py-spy on PATH, and costs some speed).
`ENCODING=proto` takes the other subprotocol, `WORKERS=2` two processes that share the ports.
Nothing is asserted.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.load.figures import HEAD, Figures, compared, described
from tests.load.profiling import require_profiler
from tests.load.scenarios import BY_NAME, SCENARIOS, Bench, Scenario
from tests.load.system import Provider


def main() -> int:
    """Gives the exit code: 2 for what cannot be done, 1 if a scenario broke."""
    given = _arguments()
    try:
        chosen = chosen_by(given.only, short=given.short)
        # Before the measurement: a wrong name should not cost it.
        old = _kept(given.compare) if given.compare else None
        _require_writable(given.out, given.profile)
    except (LookupError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _allow_files()
    measured = asyncio.run(_measured(chosen, given))
    print(f"\n{table(chosen, measured)}")
    if old is not None:
        print(f"\n{compared(old, measured)}")
    if given.out:
        Path(given.out).write_text(json.dumps(measured, indent=1) + "\n")
    return int(any("broken" in figures for figures in measured))


def chosen_by(only: str, *, short: bool = False) -> Sequence[Scenario]:
    """The scenarios of those names, for none all that are meant; LookupError names the known
    ones."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in BY_NAME:
            raise LookupError(f"no scenario `{name}`; there are {', '.join(BY_NAME)}")
    meant = [scenario for scenario in SCENARIOS if scenario.brief or not short]
    return [BY_NAME[name] for name in names] or meant


def table(scenarios: Sequence[Scenario], measured: Sequence[Figures]) -> str:
    """Every target with what was measured."""
    rows = [
        target.row(figures).line(scenario.name)
        for scenario, figures in zip(scenarios, measured, strict=True)
        for target in scenario.targets
    ]
    return "\n".join([HEAD, *rows])


async def _measured(scenarios: Sequence[Scenario], given: argparse.Namespace) -> list[Figures]:
    found: list[Figures] = []
    subprotocol = f"kari.v1.{given.encoding}"
    async with Provider.running() as provider, AsyncExitStack() as stack:
        bench = Bench(provider, given.short, given.profile, subprotocol, given.workers, stack)
        for scenario in scenarios:
            bench.say(f"{scenario.name}: {scenario.what}")
            around = _circumstances(given)
            found.append({"name": scenario.name, **await _figures(scenario, bench), **around})
            print(described(found[-1]), flush=True)
    return found


def _circumstances(given: argparse.Namespace) -> Figures:
    """When, how, how busy others kept the machine (its load of a minute) before, and how quick it
    is: machines that others use too are three times as slow on some days as on others."""
    at = datetime.now(UTC).isoformat("T", "seconds")
    busy = os.getloadavg()[0]
    how = {"short": given.short, "encoding": given.encoding, "workers": given.workers}
    return {"at": at, **how, "machine_load": busy, "loop_ms": _loop_ms()}


def _loop_ms() -> float:
    """Milliseconds of CPU for a million additions in Python, the best of five."""
    took = []
    for _ in range(5):
        began, total = time.thread_time(), 0
        for number in range(1_000_000):
            total += number
        took.append(time.thread_time() - began)
    return min(took) * 1000


def _kept(file: str) -> list[Figures]:
    """The figures of an earlier run."""
    found = json.loads(Path(file).read_text())
    if not isinstance(found, list) or not all("name" in figures for figures in found):
        raise ValueError(f"{file} was not written by `make bench OUT={file}`")
    return found


def _require_writable(out: str, profile: str) -> None:
    for file in filter(None, (out, profile)):
        if not Path(file).absolute().parent.is_dir():
            raise FileNotFoundError(f"there is no folder for {file}")
    if profile:
        require_profiler()


async def _figures(scenario: Scenario, bench: Bench) -> Figures:
    """A scenario that breaks does not take the others with it."""
    try:
        return await scenario.run(bench)
    except (AssertionError, LookupError, OSError, RuntimeError) as error:
        return {"broken": f"{type(error).__name__}: {error}"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{each.name:<14}{each.what}" for each in SCENARIOS),
    )
    parser.add_argument("--only", default="", help="names of scenarios, with commas between them")
    parser.add_argument("--out", default="", help="file for the figures (JSON)")
    parser.add_argument("--compare", default="", help="file of an earlier run's figures")
    parser.add_argument(
        "--profile", default="", help="file for a flame graph of Kari under load (py-spy, SVG)"
    )
    parser.add_argument(
        "--encoding", choices=("json", "proto"), default="json", help="of the sockets; default json"
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="KARI_WORKERS, where Kari is not spread"
    )
    parser.add_argument("--short", action="store_true", help="under a minute; less exact")
    return parser.parse_args()


def _allow_files() -> None:
    """As many open files as this machine allows: each socket is one, on both sides."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
