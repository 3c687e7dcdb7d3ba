"""A summary of sentences that were said: the same for the same. Pure."""

import math
from collections.abc import Sequence
from itertools import groupby

from kari.conversation_models.v1.summary_pb2 import ConversationSummary, ParticipantIntent
from servers.runtime.language.sentences import is_question
from servers.summarizer.material import Sentence
from servers.summarizer.ranking import Vector, central, taken
from servers.summarizer.topics import key_topics

MOST_CHARACTERS = 1200
MOST_SENTENCES = 8
SENTENCES_EACH = 5
"""One sentence stands for so many."""
MOST_PARTICIPANTS = 10
NAME_CHARACTERS = 40
"""Of a name, where it stands before what was said."""


def extract(told: Sequence[Sentence], vectors: Sequence[Vector]) -> ConversationSummary:
    """The summary of sentences, of which each has a vector. Nothing told gives nothing."""
    return ConversationSummary(
        summary=_summary(told, vectors),
        key_topics=key_topics(told),
        participant_intents=_intents(told, vectors),
    )


def _summary(told: Sequence[Sentence], vectors: Sequence[Vector]) -> str:
    """A line for each time that somebody speaks, in the order of the messages."""
    left = MOST_CHARACTERS

    def fits(place: int) -> bool:
        nonlocal left
        size = len(_line(told[place].speaker, [told[place].text])) + 1
        if size > left:
            return False
        left -= size
        return True

    most = min(MOST_SENTENCES, math.ceil(len(told) / SENTENCES_EACH))
    chosen = [told[place] for place in taken(vectors, fits, most)]
    return "\n".join(
        _line(speaker, [each.text for each in said])
        for speaker, said in groupby(chosen, key=lambda each: each.speaker)
    )


def _line(speaker: str, texts: Sequence[str]) -> str:
    text = " ".join(texts)
    return f"{' '.join(speaker.split())[:NAME_CHARACTERS]}: {text}" if speaker.strip() else text


def _intents(told: Sequence[Sentence], vectors: Sequence[Vector]) -> list[ParticipantIntent]:
    """Of each who speaks, in the order in which they first do, what they asked that is nearest to
    all they said, or else what they said that is."""
    speakers = dict.fromkeys(each.speaker for each in told if each.speaker.strip())
    return [
        ParticipantIntent(participant=speaker, intent=_intent(speaker, told, vectors))
        for speaker in list(speakers)[:MOST_PARTICIPANTS]
    ]


def _intent(speaker: str, told: Sequence[Sentence], vectors: Sequence[Vector]) -> str:
    own = [place for place, each in enumerate(told) if each.speaker == speaker]
    nearness = dict(zip(own, central([vectors[place] for place in own]), strict=True))
    asked = [place for place in own if is_question(told[place].text)]
    return told[max(asked or own, key=lambda place: (nearness[place], -place))].text
