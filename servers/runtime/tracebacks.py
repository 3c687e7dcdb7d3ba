"""Where an exception came from, for logs, without what it says: its text may hold what users and
models said, which is not logged. Pure."""

import traceback

MOST_FRAMES = 30
"""Of each exception, the innermost."""
MOST_EXCEPTIONS = 10


def without_text(error: BaseException) -> str:
    """Types and frames of an exception and of what led to it, the first cause first."""
    return "\nled to\n".join(_of(each) for each in reversed(_led_to(error)))


def _led_to(error: BaseException) -> list[BaseException]:
    """The exception, its cause, the cause's cause; and those that a group holds."""
    found = list[BaseException]()
    left: list[BaseException | None] = [error]
    while left and len(found) < MOST_EXCEPTIONS:
        each = left.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        left.append(each.__cause__ or (None if each.__suppress_context__ else each.__context__))
        left += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
    return found


def _of(error: BaseException) -> str:
    stack = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )
    lines = [f"{each.filename}:{each.lineno} in {each.name}" for each in stack[-MOST_FRAMES:]]
    return "\n".join((*lines, f"{type(error).__module__}.{type(error).__qualname__}"))
