"""`make eval-memory FILE=...`: loads long conversations into a running mesh, asks the questions,
and prints how much of their evidence is found, and how fast.

FILE has one JSON object a line: `conversation_id`, `turns` (id, session, time, speaker, text) and
`questions` (question, evidence: ids of turns, category). `OUT=result.json` keeps the figures.
`FILLER=100000` puts so many other messages around them, which have words; vectors too with
`VECTORS=1`, which takes about 15 ms each. Kari starts anew for each row of the table, so that none
finds what an earlier one left in memory. Nothing is asserted.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kari.chat_hub.v1.chat_hub_pb2 import SearchRequest
from kari.conversation_models.v1.search_pb2 import SearchFilter, SearchWay
from tests.eval.conversations import Conversation, Malformed, read
from tests.eval.loading import Client, Loaded
from tests.eval.scores import Answered, row, table
from tests.running import Kari

WAYS = (
    ("full text", SearchWay.SEARCH_WAY_FULL_TEXT, True),
    ("vectors", SearchWay.SEARCH_WAY_VECTORS, True),
    ("fused", SearchWay.SEARCH_WAY_UNSPECIFIED, True),
    ("fused, all conversations", SearchWay.SEARCH_WAY_UNSPECIFIED, False),
)
RESULTS = 50
WARM = 10
TELL_SECONDS = 10.0


def main() -> int:
    """Gives the exit code: 2 for what cannot be done."""
    given = _arguments()
    try:
        # Before the long work: what cannot be kept should not be measured.
        require_writable(given.out)
        conversations = read(Path(given.file))
    except (OSError, Malformed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rows = asyncio.run(_evaluated(conversations, given.filler, vectors=given.vectors))
    print(f"\n{table(rows)}")
    if given.out:
        Path(given.out).write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def require_writable(out: str) -> None:
    """OSError, which says what is wrong, if this file cannot be written; empty is no file."""
    if not out:
        return
    file = Path(out).absolute()
    if file.is_dir():
        raise IsADirectoryError(f"OUT={out} is a folder; name a file")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"OUT={out}: there is no folder {file.parent}")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise PermissionError(f"OUT={out} may not be written")


async def _evaluated(
    conversations: Sequence[Conversation], filler: int, *, vectors: bool
) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        kari = Kari.at(Path(folder) / "data")
        _say("starting Kari")
        async with _running(kari) as client:
            loaded = await _loaded(client, conversations, filler, vectors=vectors)
        rows = []
        for name, way, within in WAYS:
            async with _running(kari) as client:
                answered = await _asked(client, loaded, name, way, within=within)
            rows.append(row(name, answered))
    return rows


@asynccontextmanager
async def _running(kari: Kari) -> AsyncIterator[Client]:
    """A client of it, from its start to its end."""
    await kari.start()
    try:
        async with Client.of(kari) as client:
            yield client
    finally:
        await kari.stop()


async def _loaded(
    client: Client, conversations: Sequence[Conversation], filler: int, *, vectors: bool
) -> list[Loaded]:
    if filler:
        _say(f"loading {filler:,} messages of filler")
        await client.fill(filler, _say)
        if not vectors:
            await client.drop_jobs()
            _say("  they have words but no vectors (VECTORS=1 makes them)")
    turns = sum(len(each.turns) for each in conversations)
    left_out = sum(each.left_out for each in conversations)
    _say(f"loading {turns:,} messages; {left_out} questions without evidence are left out")
    loaded = [await client.load(each) for each in conversations]
    await client.indexed(_say)
    return loaded


async def _asked(
    client: Client, loaded: Sequence[Loaded], name: str, way: SearchWay.ValueType, *, within: bool
) -> list[Answered]:
    asked = [(one, place) for one in loaded for place in range(len(one.conversation.questions))]
    _say(f"asking {len(asked)} questions: {name}")
    for number in range(WARM):
        await _found(client, loaded[0], f"warm up, round {number}", way, within=within)
    answered, told = list[Answered](), time.monotonic()
    for one, place in asked:
        answered.append(await _answered(client, one, place, way, within=within))
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            _say(f"  {len(answered)} of {len(asked)}")
    return answered


async def _answered(
    client: Client, loaded: Loaded, place: int, way: SearchWay.ValueType, *, within: bool
) -> Answered:
    question = loaded.conversation.questions[place]
    began = time.perf_counter()
    found = await _found(client, loaded, question.text, way, within=within)
    seconds = time.perf_counter() - began
    ids = tuple(loaded.turn_of.get(message_id, "") for message_id in found)
    return Answered(loaded.conversation.id, question.category, question.evidence, ids, seconds)


async def _found(
    client: Client, loaded: Loaded, query: str, way: SearchWay.ValueType, *, within: bool
) -> list[str]:
    only = SearchFilter(conversation_id=loaded.id if within else "")
    request = SearchRequest(query=query, way=way, filter=only, page_size=RESULTS)
    return [result.message_id for result in (await client.hub.Search(request)).results]


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.eval",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--file", required=True, help="conversations and questions, JSON lines")
    parser.add_argument("--out", default="", help="file for the figures (JSON)")
    parser.add_argument("--filler", type=int, default=0, help="other messages around them")
    parser.add_argument("--vectors", action="store_true", help="the filler gets vectors as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
