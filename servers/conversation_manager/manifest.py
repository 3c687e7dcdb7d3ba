"""What other participants may know of how a prompt came about. Pure."""

from kari.conversation_models.v1.context_pb2 import ContextManifest, ContextSource


def shown_to_others(manifest: ContextManifest, conversation_id: str) -> ContextManifest:
    """The manifest without the ids of what is its sender's alone: memories of them, and messages
    and summaries of other conversations than the turn's own."""
    shown = ContextManifest()
    shown.CopyFrom(manifest)
    for candidate in shown.candidates:
        if candidate.source == ContextSource.CONTEXT_SOURCE_VAULT:
            candidate.ClearField("memory_id")
        if candidate.conversation_id not in ("", conversation_id):
            for field in ("message_id", "summary_id", "conversation_id"):
                candidate.ClearField(field)
    return shown
