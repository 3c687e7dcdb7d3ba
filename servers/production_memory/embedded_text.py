"""Of which text a message's vector is made. Pure."""

OWN_CHARACTERS = 4000
"""The embedder reads 256 tokens; more of a text would only be carried around."""
CONTEXT_CHARACTERS = 1000

SPEAKERS = {
    "user": "User",
    "assistant": "Assistant",
    "system": "System",
    "tool": "Tool",
    "summary": "Summary",
}


def embedded_text(
    author: str, role: str, content: str, before: tuple[str, str, str] | None = None
) -> str:
    """A message with who said it, then the message before it (its author, role and content), which
    says what a short answer is about. Its own words come first: what the embedder has no room for
    is the other's. A question and its answer are found by each other's words this way."""
    own = _said(author, role, content, OWN_CHARACTERS)
    return f"{own}\n{_said(*before, CONTEXT_CHARACTERS)}" if before else own


def _said(author: str, role: str, content: str, characters: int) -> str:
    return f"{author or SPEAKERS.get(role, role)}: {content[:characters]}"
