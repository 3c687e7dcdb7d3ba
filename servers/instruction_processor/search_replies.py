"""What `/search` answers, in Markdown. Pure."""

from kari.conversation_models.v1.message_pb2 import MessageRole
from kari.conversation_models.v1.search_pb2 import SearchResult
from kari.conversation_search.v1.conversation_search_pb2 import SearchResponse
from servers.instruction_processor.replies import code
from servers.runtime.names import short

SNIPPET = 200
"""Characters of a message that are shown, around the first word that was found."""


def found(response: SearchResponse, conversation_id: str) -> str:
    """Summaries and messages, a line each, the best first."""
    lines = [f"- summary: {_one_line(each.summary.summary)}" for each in response.summaries]
    lines += [_entry(result, conversation_id) for result in response.results]
    if not lines:
        lines = ["Nothing was found."]
    elif response.next_page_token:
        lines += ["", "There is more; say more words to find less."]
    if response.degradations:
        lines += ["", "Found by words alone: meaning could not be looked at."]
    return "\n".join(lines)


def _entry(result: SearchResult, conversation_id: str) -> str:
    when = result.timestamp.ToDatetime().strftime("%Y-%m-%d %H:%M")
    who = code(result.author) if result.author else short(MessageRole, result.role)
    where = (
        "" if result.conversation_id == conversation_id else f" in {code(result.conversation_id)}"
    )
    return f"- {when}, {who}{where}: {_one_line(_part(result))}"


def _part(result: SearchResult) -> str:
    first = result.highlights[0].start if result.highlights else 0
    begin = max(0, first - SNIPPET // 2)
    part = result.content[begin : begin + SNIPPET]
    before = "\u2026" if begin else ""
    after = "\u2026" if begin + SNIPPET < len(result.content) else ""
    return f"{before}{part}{after}"


def _one_line(text: str) -> str:
    return code(" ".join(text.split()))
