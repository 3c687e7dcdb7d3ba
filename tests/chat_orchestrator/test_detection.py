"""Which phrasings need a tool, and which only look like it."""

from typing import Any

import pytest

from kari.conversation_models.v1.tool_pb2 import ToolCall
from servers.chat_orchestrator.allowance import canonical
from servers.chat_orchestrator.detection import MOST, calls_of, detected
from servers.tool_integration.arguments import check
from servers.tool_integration.built_in.offers import BuiltIn, Peers
from servers.tool_integration.configuration import Configuration

FILE = "file_" + "0a" * 16
PYTHON = "```python\nprint(6 * 7)\n```"


def wished(content: str) -> list[tuple[str, dict[str, str]]]:
    """Tools and arguments that the rules ask for."""
    return [(wish.tool_id, wish.arguments) for wish in detected(content)]


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ("What time is it?", {}),
        ("what time is it now", {}),
        ("What's the time, please?", None),
        ("What is the time?", {}),
        ("what's the current time in Tokyo?", {"zone": "Asia/Tokyo"}),
        ("What time is it in New York right now?", {"zone": "America/New_York"}),
        ("Tell me the time in Europe/Berlin.", {"zone": "Europe/Berlin"}),
        ("What is the date today?", {}),
        ("What day is it?", {}),
        ("what day is today", {}),
        ("What's today's date?", {}),
        ("How late is it in Paris?", {"zone": "Europe/Paris"}),
        ("Please give me the current date and time.", {}),
        ("What time is it in Middle Earth?", {}),
    ],
)
def test_questions_for_the_time_go_to_the_clock(
    content: str, arguments: dict[str, str] | None
) -> None:
    """In the zone of a city, if one is named that has one."""
    expected = [] if arguments is None else [("time", arguments)]
    assert wished(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        "What time does the shop open?",
        "What is the time complexity of quicksort?",
        "What is the current time complexity?",
        "What is the date of the battle of Hastings?",
        "I had a good time in Paris.",
        "The last time we met it rained.",
        "Once upon a time there was a date palm.",
        "What is today like for a beekeeper in spring?",
        "It's time to go.",
        "What day of the week was 1 May 1900?",
    ],
)
def test_other_mentions_of_time_do_not(content: str) -> None:
    """They ask for something else."""
    assert wished(content) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (f"What does this print?\n{PYTHON}", "print(6 * 7)\n"),
        (f"{PYTHON}", "print(6 * 7)\n"),
        ("```py\nx = 1\n```", "x = 1\n"),
        ("Please run this:\n```\nprint(1)\n```", "print(1)\n"),
        ("What is the output?\n```\nprint(1)\n```", "print(1)\n"),
    ],
)
def test_code_blocks_are_run(content: str, code: str) -> None:
    """Of Python, or of no language if it is asked for."""
    assert wished(content) == [("code.run", {"code": code})]


@pytest.mark.parametrize(
    "content",
    [
        "What is wrong here?\n```js\nconsole.log(1)\n```",
        "```bash\nrm -rf /\n```",
        "This is the log:\n```\nno route to host\n```",
        f"Please don't run this.\n{PYTHON}",
        f"Explain it without executing it:\n{PYTHON}",
        "Use `print(1)` to print.",
        "```python\n```",
        "```python\nprint(1)",
        "Python is a nice language to run things in.",
    ],
)
def test_other_code_is_not(content: str) -> None:
    """Of other languages, of none, not whole, or not to be run."""
    assert wished(content) == []


@pytest.mark.parametrize(
    ("content", "tool_id", "query"),
    [
        (
            "Search the web for Python 3.14 release notes.",
            "web.search",
            "Python 3.14 release notes",
        ),
        ("please search the internet for cheap flights?", "web.search", "cheap flights"),
        ("Can you look online for a good bakery", "web.search", "a good bakery"),
        ("Search for hedgehogs on the web", "web.search", "hedgehogs"),
        ("Find the opening hours online", "web.search", "the opening hours"),
        ("Could you google the tallest tower?", "web.search", "the tallest tower"),
        ("What are the latest news about Mars?", "web.search", "latest news about Mars"),
        ("What did we say about the budget?", "conversation.search", "the budget"),
        ("what have I written about Lisbon", "conversation.search", "Lisbon"),
        ("Did I mention my sister's name?", "conversation.search", "my sister's name"),
        ("Have we discussed the invoice?", "conversation.search", "the invoice"),
        ("When did we talk about moving?", "conversation.search", "moving"),
        ("Search our conversations for the recipe.", "conversation.search", "the recipe"),
        ("Look through my past messages for the address", "conversation.search", "the address"),
    ],
)
def test_search_questions_are_searched_for(content: str, tool_id: str, query: str) -> None:
    """In the web, or in what was said."""
    assert wished(content) == [(tool_id, {"query": query})]


@pytest.mark.parametrize(
    "content",
    [
        "Explain binary search.",
        "How does a web search engine work?",
        "I searched for my keys all day.",
        "Look up at the sky!",
        "Google was founded in 1998.",
        "We talked about cheese yesterday.",
        "What did he say about it?",
        "The web is full of spiders.",
        "I am in search of lost time.",
        "Search the web for",
    ],
)
def test_other_mentions_of_searching_are_not(content: str) -> None:
    """Nobody asks for anything to be found."""
    assert wished(content) == []


@pytest.mark.parametrize(
    ("content", "files"),
    [
        (f"Summarize {FILE}, please.", [FILE]),
        (f"Compare {FILE} with file_{'1b' * 16}.", [FILE, f"file_{'1b' * 16}"]),
        (f"{FILE} and {FILE} again", [FILE]),
        ("file_0a0a is no file", []),
        ("profile_" + "0a" * 16, []),
        ("Read report.pdf", ["report.pdf"]),
        ("What is in report.pdf?", ["report.pdf"]),
        ("Summarize report.pdf. It is long.", ["report.pdf"]),
        ("Compare a.pdf with B.DOCX.", ["a.pdf", "B.DOCX"]),
        ('Please summarize "annual report 2025.pdf".', ["annual report 2025.pdf"]),
        ("What does `main.py` do?", ["main.py"]),
        ("How many rows has sales.v2.csv?", ["sales.v2.csv"]),
        ("Translate Jahres\u00fcbersicht.pdf", ["Jahres\u00fcbersicht.pdf"]),
        ("Read a.pdf.\nThen save it as b.pdf.", ["a.pdf"]),
    ],
)
def test_files_are_read_by_their_ids_and_names(content: str, files: list[str]) -> None:
    """Each once; by a name where the sentence asks for what is in it."""
    assert wished(content) == [("file.read", {"file": file}) for file in files]


@pytest.mark.parametrize(
    "content",
    [
        "I lost report.pdf yesterday.",
        "Write it to notes.txt.",
        "Please don't read report.pdf!",
        "What is on https://example.com/report.pdf?",
        "Read src/main.py",
        "Who is mail@report.pdf?",
        "How do I open a .pdf?",
        "What is the difference between node.js and deno?",
        "Read on. I have it from a.pdf",
        "```\nread report.pdf\n```",
    ],
)
def test_other_names_of_files_are_not(content: str) -> None:
    """Told of in passing, to be written, elsewhere, or no files of the user at all."""
    assert wished(content) == []


async def test_what_is_detected_fits_the_schemas_of_the_tools() -> None:
    """Of those that Kari brings: each rule asks for one of them, with arguments that it takes."""
    nobody: Any = None
    source = BuiltIn(Configuration(), Peers(nobody, nobody, nobody, nobody))
    tools = {offer.tool.id: offer.tool for offer in await source.offers()}
    await source.close()
    asked = (
        f"Read {FILE} and report.pdf.\n{PYTHON}",
        "What time is it?",
        "What time is it in Tokyo?",
        "Search the web for hedgehogs.",
        "What did we say about the budget?",
    )
    wishes = [wish for content in asked for wish in detected(content)]
    assert {wish.rule for wish in wishes} == {"code", "file", "search", "time"}
    for wish in wishes:
        check(tools[wish.tool_id], dict(wish.arguments))


def test_only_tools_that_are_available_are_called() -> None:
    """The others are left out, and the message is answered without."""
    content = f"What time is it?\n{PYTHON}"
    assert [wish.tool_id for wish in detected(content)] == ["code.run", "time"]
    assert [wish.tool_id for wish in detected(content, {"time"})] == ["time"]
    assert detected(content, set()) == []


def test_a_message_needs_a_few_tools_at_the_most() -> None:
    """However much is in it."""
    assert len(detected("\n".join(f"```python\nprint({n})\n```" for n in range(50)))) == MOST


@pytest.mark.parametrize(
    "piece", ["find it ", "search for ", "```\n", "what is ", " ", "in A ", "read a.pdf "]
)
def test_no_message_takes_long_to_look_at(piece: str) -> None:
    """However often it nearly asks for something; looked at by rules that went back and forth it
    would take minutes."""
    detected(piece * 20_000)


def test_what_stands_in_code_is_no_question() -> None:
    """A time in a string is none."""
    assert wished("```js\nask('What time is it?')\n```") == []


def test_the_same_message_gives_the_same_calls() -> None:
    """But for their ids, which are new."""
    wishes = detected("What time is it in Tokyo?")
    one, two = calls_of(wishes), calls_of(detected("What time is it in Tokyo?"))
    assert one[0].id != two[0].id
    assert plain(one) == plain(two) == [("time", '{"zone": "Asia/Tokyo"}')]


def plain(calls: list[ToolCall]) -> list[tuple[str, str]]:
    """Calls without their ids."""
    return [(call.tool_id, call.arguments_json) for call in calls]


@pytest.mark.parametrize(
    ("text", "one_spelling"),
    [
        ('{"b": 1, "a": [1, 2]}', '{"a":[1,2],"b":1}'),
        ("not json", "not json"),
        ("[" * 100_000, "[" * 100_000),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_arguments_are_compared_in_one_spelling(text: str, one_spelling: Any) -> None:
    """Whatever a model writes."""
    assert canonical(text) == one_spelling
