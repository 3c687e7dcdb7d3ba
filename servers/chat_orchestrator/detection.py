"""Which tools a message needs, for models that cannot ask for any: fixed rules, one a kind. Pure.

Code blocks are run, files that are mentioned are read, search questions are searched for in the web
or in the conversations, and what depends on the time is told the time. A rule that is in doubt does
nothing: an answer without a tool is better than one about something else.
"""

import json
import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache
from typing import NamedTuple
from zoneinfo import available_timezones

from kari.conversation_models.v1.tool_pb2 import ToolCall
from servers.chat_orchestrator.file_mentions import mentioned
from servers.runtime.ids import new_id

MOST = 4
"""Most calls that are made for one message."""
READ_CHARACTERS = 20_000
"""How much of a message is looked at."""
LONGEST_QUERY = 300


class Wish(NamedTuple):
    """A call that a rule asks for."""

    rule: str
    tool_id: str
    arguments: dict[str, str]


def detected(content: str, available: Container[str] | None = None) -> list[Wish]:
    """What the rules ask for, in their order, of the tools that are available (None: whichever)."""
    text = content[:READ_CHARACTERS]
    prose = _BLOCK.sub(" ", text)
    wishes = list[Wish]()
    for rule in _RULES:
        for wish in rule(text, prose):
            may = available is None or wish.tool_id in available
            if may and wish not in wishes:
                wishes.append(wish)
            if len(wishes) == MOST:
                return wishes
    return wishes


def calls_of(wishes: Sequence[Wish]) -> list[ToolCall]:
    """The calls, each with an id of its own."""
    return [
        ToolCall(id=new_id("call"), tool_id=wish.tool_id, arguments_json=json.dumps(wish.arguments))
        for wish in wishes
    ]


_BLOCK = re.compile(r"```[^\n]*\n.*?(?:```|\Z)", re.DOTALL)
_CODE = re.compile(r"```[ \t]*(\w*)[^\n]*\n(.*?)```", re.DOTALL)
_RUNNABLE = frozenset({"python", "py", "python3"})
_RUN = re.compile(r"\b(run|execute|evaluate|output|prints?|result)\b", re.IGNORECASE)
_DO_NOT_RUN = re.compile(
    r"\b(?:do not|don['\u2019]t|never|without)\b[^.!?\n]{0,20}\b(?:run|execut|evaluat)",
    re.IGNORECASE,
)


def _code(text: str, prose: str) -> Iterator[Wish]:
    """Python in a block; a block without a language if the message asks to run it."""
    if _DO_NOT_RUN.search(prose):
        return
    for language, code in _CODE.findall(text):
        named = language.lower() in _RUNNABLE
        if code.strip() and (named or (not language and _RUN.search(prose))):
            yield Wish("code", "code.run", {"code": code})


def _files(text: str, prose: str) -> Iterator[Wish]:
    """Files by their ids, or by their names where somebody asks for what is in them."""
    for file in mentioned(prose):
        yield Wish("file", "file.read", {"file": file})


_WEB = (
    re.compile(
        r"\b(?:search|look|browse)\s+(?:on\s+|in\s+|through\s+)?(?:the\s+)?(?:web|internet|net)"
        r"\s+(?:for|about)\s+(.{1,400})",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:search|look)\s+online\s+(?:for|about)\s+(.{1,400})", re.IGNORECASE),
    re.compile(
        r"\b(?:search|look)\s+for\s+(.{1,300}?)\s+(?:on\s+the\s+(?:web|internet)|online)\b",
        re.IGNORECASE,
    ),
    re.compile(r"\bfind\s+(.{1,300}?)\s+(?:on\s+the\s+(?:web|internet)|online)\b", re.IGNORECASE),
    re.compile(
        r"(?:^|[.!?\n]\s*|\bplease\s+|\b(?:can|could)\s+you\s+)google\s+"
        r"(?!(?:is|was|were|has|had|will|would|does|did|can|could|should|and|or|maps|docs|drive)\b)"
        r"(.{1,400})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\bwhat(?:['\u2019]s|\s+is|\s+are)\s+(?:the\s+)?(latest\s+news\s+(?:about|on|from|of)\s+.{1,400})",
        re.IGNORECASE,
    ),
)
_HERE = (
    re.compile(
        r"\b(?:search|look\s+through|go\s+through)\s+(?:in\s+|through\s+)?(?:our|my|this|the|past|"
        r"earlier|previous|all)(?:\s+(?:past|earlier|previous|old))?\s+(?:conversations?|chats?|"
        r"messages?|history)\s+(?:for|about)\s+(.{1,400})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\bwhat\s+(?:did|have)\s+(?:we|i|you)\s+(?:say|said|write|written|talk(?:ed)?|discuss(?:ed)?|"
        r"decide[d]?|agree[d]?)\s+(?:about|on|of|regarding)\s+(.{1,400})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:did|have)\s+(?:we|i|you)\s+(?:ever\s+|already\s+)?(?:mention(?:ed)?|discuss(?:ed)?|"
        r"talk(?:ed)?\s+about)\s+(.{1,400})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\bwhen\s+did\s+(?:we|i|you)\s+(?:mention|discuss|talk\s+about)\s+(.{1,400})",
        re.IGNORECASE,
    ),
)


def _search(text: str, prose: str) -> Iterator[Wish]:
    """Questions for what was said go to the conversations, others that ask for it to the web."""
    for patterns, tool_id in ((_HERE, "conversation.search"), (_WEB, "web.search")):
        found = next(filter(None, (pattern.search(prose) for pattern in patterns)), None)
        query = _query(found[1]) if found else ""
        if query:
            yield Wish("search", tool_id, {"query": query})
            return


def _query(words: str) -> str:
    """The rest of the sentence: a point within a word, such as in `3.11`, does not end it."""
    sentence = re.split(r"[?!\n]|\.(?:\s|$)", words, maxsplit=1)[0]
    return " ".join(sentence.split()).strip(" \"'\u201c\u201d,;:")[:LONGEST_QUERY].strip()


_NOW = re.compile(
    r"\bwhat(?:['\u2019]s|\s+is)\s+(?:the\s+)?(?:current\s+|exact\s+|local\s+)?(?:time|date)"
    r"(?=\s*(?:\?|\.|!|$|\n|and\b|please\b|now\b|today\b|right\s+now\b|it\s+is\b|in\s+[A-Z]))"
    r"|\bwhat\s+time\s+(?:is\s+it|it\s+is)\b"
    r"|\bwhat\s+(?:day|date|weekday)\s+(?:is\s+(?:it|today)|it\s+is|do\s+we\s+have)\b"
    r"|\bwhat(?:['\u2019]s|\s+is)\s+today(?:['\u2019]s\s+date)?(?=\s*(?:\?|$|\n))"
    r"|\btoday['\u2019]s\s+date\b"
    r"|\bhow\s+late\s+is\s+it\b"
    r"|\b(?:tell|give)\s+me\s+the\s+(?:current\s+)?(?:time|date)(?=\s*(?:\?|\.|!|$|\n|and\b|please\b|"
    r"now\b|in\s+[A-Z]))"
    r"|\b(?:the|what)\s+current\s+(?:date|time)\b(?!\s+complexity)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\bin\s+((?:[A-Z][\w'-]*)(?:[ _][A-Z][\w'-]*){0,3})")
_ZONE = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b|\bUTC\b")


def _time(text: str, prose: str) -> Iterator[Wish]:
    """Questions for the time or the date now, somewhere if a zone or its city is named."""
    found = _NOW.search(prose)
    if found:
        zone = _zone(prose[found.start() :])
        yield Wish("time", "time", {"zone": zone} if zone else {})


def _zone(text: str) -> str:
    named = next((z for z in _ZONE.findall(text) if z in _cities().values()), "")
    if named:
        return named
    for place in _PLACE.findall(text):
        words = place.replace("_", " ").lower().split()
        for end in range(len(words), 0, -1):
            zone = _cities().get(" ".join(words[:end]))
            if zone:
                return zone
    return ""


@cache
def _cities() -> dict[str, str]:
    """Zones by their cities in lower case; of two cities of a name the first zone by name."""
    zones = sorted(available_timezones(), reverse=True)
    areas = (
        zone for zone in zones if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
    )
    return {zone.rpartition("/")[2].replace("_", " ").lower(): zone for zone in areas} | {
        "utc": "UTC"
    }


_RULES: tuple[Callable[[str, str], Iterator[Wish]], ...] = (_code, _files, _search, _time)
