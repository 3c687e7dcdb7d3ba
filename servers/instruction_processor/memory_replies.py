"""What commands about memories answer, in Markdown. Pure."""

from collections.abc import Sequence

from kari.conversation_manager.v1.conversation_manager_pb2 import (
    CorrectMemoryResponse,
    RememberResponse,
)
from kari.conversation_models.v1.memory_pb2 import (
    ForgetReceipt,
    Memory,
    MemoryKind,
    RememberOutcome,
)
from servers.instruction_processor.replies import code
from servers.runtime.names import short

NOTHING = "Nothing is remembered."


def remembered(response: RememberResponse) -> str:
    """What the write gate decided."""
    match response.outcome:
        case RememberOutcome.REMEMBER_OUTCOME_DUPLICATE:
            return f"That was known already: {_named(response.memory)}"
        case RememberOutcome.REMEMBER_OUTCOME_REPLACED:
            return (
                f"Remembered: {_named(response.memory)}\n\n"
                f"It takes the place of {_one_line(response.replaced.content)}, which held until "
                "now."
            )
        case RememberOutcome.REMEMBER_OUTCOME_TRIVIAL:
            return "Not remembered: it says too little. Write a whole statement."
        case RememberOutcome.REMEMBER_OUTCOME_REPEATS_ASSISTANT:
            return "Not remembered: it only repeats what the assistant said."
        case _:
            return f"Remembered: {_named(response.memory)}"


def corrected(response: CorrectMemoryResponse) -> str:
    """What holds now, and what held before."""
    return (
        f"Corrected: {_named(response.memory)}\n\n"
        f"It takes the place of {_one_line(response.replaced.content)}."
    )


def listed(memories: Sequence[Memory], *, more: bool) -> str:
    """Memories, a line each, with what to do about them."""
    if not memories:
        return f"{NOTHING} Say `/remember TEXT`, or just tell about yourself."
    lines = [_entry(memory) for memory in memories]
    if more:
        lines += ["", "There are more; these are the latest."]
    return "\n".join([*lines, "", "`/correct ID TEXT` puts one right, `/forget ID` erases it."])


def forgotten(receipts: Sequence[ForgetReceipt]) -> str:
    """What was erased, by store, and the receipts."""
    count = sum(len(receipt.memory_ids) for receipt in receipts)
    if not count:
        return f"{NOTHING} There is nothing to forget."
    noun = "memory is" if count == 1 else "memories are"
    lines = [f"{count} {noun} forgotten, earlier versions included."]
    for receipt in receipts:
        stores = ", ".join(
            f"{each.store} {each.erased if each.done else 'as soon as it is back'}"
            for each in receipt.erasures
        )
        lines.append(f"- receipt {code(receipt.id)}: {stores}")
    return "\n".join(lines)


def _entry(memory: Memory) -> str:
    since = memory.valid_from.ToDatetime().date().isoformat()
    times = f"since {since}"
    if memory.HasField("valid_to"):
        times = f"{since} to {memory.valid_to.ToDatetime().date().isoformat()}"
    faded = ", faded" if memory.archived else ""
    return f"- {_named(memory)} ({short(MemoryKind, memory.kind)}, {times}{faded})"


def _named(memory: Memory) -> str:
    return f"{_one_line(memory.content)} {code(memory.id)}"


def _one_line(text: str) -> str:
    return code(" ".join(text.split()))
