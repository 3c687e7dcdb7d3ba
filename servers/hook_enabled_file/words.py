"""Words and patterns that tenants do not want, as YARA rules. Pure.

yara-x matches in time that is linear in the text: no pattern can make it slow.
"""

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, model_validator


class WordRule(BaseModel):
    """One rule of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    """What people are told, such as `project names`."""
    words: tuple[str, ...] = ()
    """Whole words, in any case."""
    pattern: str = ""
    """A regular expression of yara-x."""
    tenants: tuple[str, ...] = ()
    """Those for whom it holds; empty for all."""

    @model_validator(mode="after")
    def _says_something(self) -> "WordRule":
        if not self.words and not self.pattern:
            raise ValueError("a rule needs `words` or a `pattern`")
        return self

    def holds_for(self, tenant_id: str) -> bool:
        """Whether a tenant has it."""
        return not self.tenants or tenant_id in self.tenants


def rules_of(words: Sequence[WordRule]) -> str:
    """The rules as YARA source; empty if there are none."""
    return "\n".join(_rule(number, rule) for number, rule in enumerate(words))


def _rule(number: int, rule: WordRule) -> str:
    strings = [f"$w{at} = {_quoted(word)} nocase fullword" for at, word in enumerate(rule.words)]
    if rule.pattern:
        strings.append(f"$p = /{_delimited(rule.pattern)}/")
    return (
        f"rule word_{number} {{ meta: reason = {_quoted(rule.name)} "
        f"strings: {' '.join(strings)} condition: any of them }}"
    )


def _quoted(text: str) -> str:
    # YARA knows \" \\ \n \t \xNN alone; what JSON writes besides is left as it is.
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


def _delimited(pattern: str) -> str:
    return pattern.replace("\\/", "/").replace("/", "\\/").replace("\n", "\\n")
