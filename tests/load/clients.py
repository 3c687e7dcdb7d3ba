"""The process of the load's clients: reads a Plan (JSON) from its standard input, carries it out,
prints `began` and `ended` around the time that counts, then what it measured as JSON.

`open` is printed when all callers are there, and a line on standard input is waited for after it.
"""

import asyncio
import itertools
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import msgspec
import uvloop

from tests.load.asking import Caller, DirectCaller, SocketCaller
from tests.load.measured import Totals, Turn, spread
from tests.load.websocket import JSON
from tests.upstream.fast import Wanted

OPENING = 50
"""Sockets that are opened at the same time."""

LATE_SECONDS = 30.0
"""How long turns under way at the end of the measured time are waited for."""


class Plan(msgspec.Struct, frozen=True):
    """A load. `how` is `closed` (each caller asks again as soon as it has its answer), `alone` (one
    question at a time in all, the callers in turn: one socket may send only so fast), `arrivals`
    (`per_minute` questions in all, at random times, whatever became of earlier ones) or `once`
    (each caller asks one question, spread over `warm_seconds`). The time that counts begins
    `warm_seconds` after the start; with `once` everything counts. Only the first `active` callers
    ask."""

    url: str
    tokens: list[str]
    how: str = "closed"
    direct: bool = False
    subprotocol: str = JSON
    active: int = 0
    chunks: int = 64
    rate: int = 0
    calls: int = 0
    per_minute: float = 0.0
    warm_seconds: float = 2.0
    seconds: float = 10.0


class Load:
    """Carries out a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._callers: list[Caller] = []
        self._opening: list[float] = []
        self._turns: list[Turn] = []
        self._random = random.Random(7)
        self._failed_to_open = 0
        self._unfinished = 0
        self._busy: dict[int, asyncio.Lock] = {}

    async def open(self) -> None:
        """Opens every caller's connection."""
        gate = asyncio.Semaphore(OPENING)
        callers = await asyncio.gather(*(self._opened(token, gate) for token in self._plan.tokens))
        self._callers = [caller for caller in callers if caller is not None]

    async def run(self, say: Callable[[str], None]) -> dict[str, object]:
        """The figures of the time that counts."""
        plan, start = self._plan, time.perf_counter()
        ends = start + plan.warm_seconds + plan.seconds
        began = start if plan.how == "once" else start + plan.warm_seconds
        active = self._callers[: plan.active or None]
        asking = asyncio.create_task(WAYS[plan.how](self, active, start, ends))
        await asyncio.sleep(began - time.perf_counter())
        say("began")
        await asyncio.sleep(ends - time.perf_counter())
        if plan.how in ("arrivals", "once"):
            await asyncio.wait({asking}, timeout=LATE_SECONDS)
            ends = time.perf_counter() if plan.how == "once" else ends
        say("ended")
        await asyncio.wait({asking}, timeout=LATE_SECONDS)
        if not asking.done():
            asking.cancel()
        return self._figures(began, ends)

    def close(self) -> None:
        """Closes every connection."""
        for caller in self._callers:
            caller.close()

    async def closed(self, callers: list[Caller], _start: float, ends: float) -> None:
        """Each caller one question after the other."""

        async def go_on(place: int, caller: Caller) -> None:
            while time.perf_counter() < ends:
                turn = await self._ask(caller, place)
                if turn.error.startswith("gone"):
                    return

        await asyncio.gather(*(go_on(*each) for each in enumerate(callers)))

    async def alone(self, callers: list[Caller], _start: float, ends: float) -> None:
        """One question at a time, the callers in turn."""
        for number in itertools.count():
            place = number % len(callers)
            turn = await self._ask(callers[place], place)
            if time.perf_counter() >= ends or turn.error.startswith("gone"):
                return

    async def arrivals(self, callers: list[Caller], start: float, ends: float) -> None:
        """Questions at random times (Poisson), one caller after the other; timed from when they
        were due."""
        due, asked = start, list[Awaitable[Turn]]()
        for number in itertools.count():
            due += self._random.expovariate(self._plan.per_minute / 60)
            if due >= ends:
                break
            await asyncio.sleep(due - time.perf_counter())
            place = number % len(callers)
            asked.append(asyncio.create_task(self._ask(callers[place], place, due)))
        await asyncio.gather(*asked)

    async def once(self, callers: list[Caller], _start: float, _ends: float) -> None:
        """One question each, begun evenly over the warm-up."""

        async def later(place: int, caller: Caller) -> None:
            await asyncio.sleep(self._plan.warm_seconds * place / len(callers))
            await self._ask(caller, place)

        await asyncio.gather(*(later(*each) for each in enumerate(callers)))

    async def _ask(self, caller: Caller, place: int, due: float | None = None) -> Turn:
        wanted = Wanted(place % 100, self._plan.chunks, self._plan.rate, self._plan.calls)
        self._unfinished += 1
        # Who is still busy with the last question asks the next one late; its time runs already.
        async with self._busy.setdefault(place, asyncio.Lock()):
            turn = await caller.ask(wanted, due)
        self._unfinished -= 1
        self._turns.append(turn)
        return turn

    async def _opened(self, token: str, gate: asyncio.Semaphore) -> Caller | None:
        kind = DirectCaller if self._plan.direct else SocketCaller
        async with gate:
            began = time.perf_counter()
            try:
                caller: Caller = await kind.opened(self._plan.url, token, self._plan.subprotocol)
            except (OSError, TimeoutError) as error:
                self._failed_to_open += 1
                print(f"no socket: {error}", file=sys.stderr)
                return None
            self._opening.append(time.perf_counter() - began)
            return caller

    def _figures(self, began: float, ends: float) -> dict[str, object]:
        counted = [turn for turn in self._turns if began <= _end_of(turn) <= ends]
        if self._plan.how == "once":
            counted = self._turns
        acks = [ack for c in self._callers if isinstance(c, SocketCaller) for ack in c.acks]
        return {
            **Totals(ends - began, counted).figures(),
            "open_ms": spread(self._opening),
            "ack_ms": spread(acks),
            "not_opened": self._failed_to_open,
            "all_turns": len(self._turns),
            "unfinished": self._unfinished,
            "all_errors": self._unfinished
            + self._failed_to_open
            + sum(1 for turn in self._turns if turn.error),
        }


Way = Callable[[Load, list[Caller], float, float], Coroutine[None, None, None]]
WAYS: dict[str, Way] = {
    "closed": Load.closed,
    "alone": Load.alone,
    "arrivals": Load.arrivals,
    "once": Load.once,
}


def _end_of(turn: Turn) -> float:
    return turn.ended or (turn.texts[-1] if turn.texts else turn.began)


def say(line: str) -> None:
    """To the harness, at once."""
    print(line, flush=True)


async def _main(lines: Iterable[bytes]) -> None:
    reading = iter(lines)
    load = Load(msgspec.json.decode(next(reading), type=Plan))
    await load.open()
    say("open")
    await asyncio.to_thread(next, reading)
    figures = await load.run(say)
    say(msgspec.json.encode(figures).decode())
    load.close()


if __name__ == "__main__":
    uvloop.run(_main(sys.stdin.buffer))
