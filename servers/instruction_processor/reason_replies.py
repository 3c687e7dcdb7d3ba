"""What `/why` answers, in Markdown. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from kari.conversation_manager.v1.conversation_manager_pb2 import GetTurnManifestResponse
from kari.conversation_models.v1.context_pb2 import (
    ContextCandidate,
    ContextManifest,
    ContextSource,
    ContextVerdict,
)
from kari.conversation_models.v1.degradation_pb2 import Feature
from servers.instruction_processor.replies import code
from servers.runtime.names import short

SHOWN = 12
"""Candidates that are named one by one; the others are counted."""

_IN_PROMPT = (ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_SHORTENED)


def explained(found: GetTurnManifestResponse) -> str:
    """The model and why, what was in the prompt, what was left out and why, what was missing."""
    turn = found.turn
    lines = [f"Turn {code(turn.id)}"]
    if turn.selection.model.id:
        lines.append(f"- **model**: {code(turn.selection.model.id)}. {turn.selection.explanation}.")
    if not found.HasField("manifest"):
        return "\n".join([*lines, "- It ended before its context was made."])
    lines += _prompt(found.manifest)
    if turn.degradations:
        missing = (f"{_words(short(Feature, d.feature))} ({d.cause})" for d in turn.degradations)
        lines.append(f"- **done without**: {', '.join(missing)}")
    return "\n".join([*lines, "", f"`kari explain {turn.id}` shows all of it."])


def _prompt(manifest: ContextManifest) -> list[str]:
    kept = [c for c in manifest.candidates if c.verdict in _IN_PROMPT]
    cut = [c for c in manifest.candidates if c.verdict not in _IN_PROMPT]
    lines = [f"- **prompt**: {manifest.tokens} of {manifest.budget_tokens} tokens"]
    lines.append(f"- **in it**: {_counted(_source(c) for c in kept)}")
    lines += _named(kept)
    if cut:
        lines.append(f"- **left out**: {_counted(_words(_verdict(c)) for c in cut)}")
    if manifest.pins_left_out:
        lines.append(f"- **pinned messages that did not fit**: {manifest.pins_left_out}")
    return lines


def _named(kept: Sequence[ContextCandidate]) -> list[str]:
    """What was found for the message, the best first."""
    recalled = sorted((c for c in kept if c.score), key=lambda c: -c.score)
    return [f"  - {_source(c)} {code(_id(c))}, score {c.score:.2f}" for c in recalled[:SHOWN]]


def _id(candidate: ContextCandidate) -> str:
    return candidate.message_id or candidate.memory_id or candidate.summary_id


def _source(candidate: ContextCandidate) -> str:
    return _words(short(ContextSource, candidate.source))


def _verdict(candidate: ContextCandidate) -> str:
    return short(ContextVerdict, candidate.verdict).removeprefix("cut_")


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(names).items())


def _words(name: str) -> str:
    return name.replace("_", " ")
