"""Which memories a prompt was made of, by its manifest. Pure."""

from kari.conversation_models.v1.context_pb2 import ContextManifest, ContextVerdict

IN_THE_PROMPT = frozenset(
    {ContextVerdict.CONTEXT_VERDICT_KEPT, ContextVerdict.CONTEXT_VERDICT_SHORTENED}
)


def memories_read(manifest: ContextManifest) -> list[str]:
    """The ids of memories that are in the prompt, each once."""
    read = (c.memory_id for c in manifest.candidates if c.verdict in IN_THE_PROMPT)
    return sorted({memory_id for memory_id in read if memory_id})
