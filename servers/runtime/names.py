"""Names of enum values as people and metrics write them."""

import re
from functools import lru_cache

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper


@lru_cache(maxsize=1024)
def short(enum: EnumTypeWrapper, value: int) -> str:
    """A value's name without the name of its enum, in lower case: `completed` of
    TURN_STATE_COMPLETED."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.DESCRIPTOR.name).upper() + "_"
    return enum.Name(value).removeprefix(prefix).lower()
