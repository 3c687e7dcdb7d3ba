"""Which files a message asks to be read: by id, or by a name in a sentence that asks. Pure.

A name is a word with a known ending, or what stands in quotes and ends so. Somebody who wants such
a file written, or tells of one in passing, does not ask for it to be read.
"""

import re
from collections.abc import Iterator

LONGEST_NAME = 150

_ID = re.compile(r"\bfile_[0-9a-f]{32}\b")
_ENDINGS = (
    "pdf|docx?|xlsx?|pptx?|odt|ods|odp|rtf|txt|md|csv|tsv|html?|eml|log|json|xml|ya?ml|toml|"
    "py|java|cpp|sql|png|jpe?g|gif|webp|tiff?|mp3|wav|m4a|ogg|mp4|mov|webm"
)
"""Of what files are mostly, and names of nothing else: `node.js` is no file."""
_NAME = re.compile(
    rf"[\"\u201c`](?P<quoted>[^\"\u201c\u201d`\n/\\]{{1,{LONGEST_NAME}}}\.(?:{_ENDINGS}))[\"\u201d`]"
    # No part of a path, an address or a longer name.
    rf"|(?<![\w/\\@.:-])(?P<plain>\w[\w-]{{0,{LONGEST_NAME}}}(?:\.[\w-]{{1,40}}){{0,3}}?"
    rf"\.(?:{_ENDINGS}))(?![\w/\\@-]|\.\w)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.](?!\s|$)[^.!?\n]*)*[.!?\n]?")
_READ = re.compile(
    r"\b(?:read|open|show|quote|cite|summari[sz]e|summary|outline|review|proofread|analy[sz]e|"
    r"explain|translate|compare|search|check|describe|extract|transcribe|list|find|look|see|use|"
    r"according\s+to|based\s+on)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:what|which|who|whose|when|where|why|how|does|do|did|is|are|was|were|has|have|tell\s+me)\b",
    re.IGNORECASE,
)
_WRITE = re.compile(
    r"\b(?:write|writing|create|creating|save|saving|generate|rename|renaming|delete|remove|call\s+it|"
    r"named|export|convert|upload|download|send|make|do\s+not|don['\u2019]t|without)\b",
    re.IGNORECASE,
)


def mentioned(prose: str) -> Iterator[str]:
    """Ids first, then names, as they stand there; a file that is said twice comes twice."""
    yield from _ID.findall(prose)
    for sentence in _SENTENCE.findall(prose):
        begin = _asks_from(sentence)
        if begin is not None:
            for name in _NAME.finditer(sentence, begin):
                yield (name["quoted"] or name["plain"]).strip()


def _asks_from(sentence: str) -> int | None:
    """Where a sentence begins to ask for what is in files; None if it does not."""
    if _WRITE.search(sentence):
        return None
    if sentence.rstrip().endswith("?") and _ASKS.search(sentence):
        return 0
    found = _READ.search(sentence)
    return found.end() if found else None
