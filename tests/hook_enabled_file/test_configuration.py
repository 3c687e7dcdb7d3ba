"""The hooks of `files.toml`."""

from pathlib import Path

import pytest

from servers.hook_enabled_file import configured
from servers.hook_enabled_file.configuration import BUILT_IN, hooks_of
from servers.hook_enabled_file.words import WordRule, rules_of
from servers.runtime.settings import Misconfigured, Settings


def test_without_a_table_the_built_in_hooks_run() -> None:
    table = hooks_of("[limits]\n", "files.toml")
    assert (table.order, table.off) == (BUILT_IN, ())


def test_a_table_says_what_runs_when_and_how() -> None:
    table = hooks_of(
        """
        [hooks]
        order = ["archives", "scan", "mine"]
        off = ["summary"]
        scan.clamav = "unix:///run/clamav/clamd.ctl"
        archives.depth = 2
        [[hooks.own]]
        name = "mine"
        kind = "guard"
        rules = "/etc/kari/mine.yar"
        """,
        "files.toml",
    )
    assert table.archives.bounds()["depth"] == 2
    assert (table.off, table.own[0].name) == (("summary",), "mine")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[hooks", "not TOML"),
        ("[hooks]\nscam = 1", "hooks.scam"),
        ("[hooks]\norder = ['scam']", "there is no hook scam"),
        ("[hooks]\norder = ['scan', 'scan']", "each hook once"),
        ("[hooks.scan]\nclamav = 'http://x'", "hooks.scan.clamav"),
        ("[hooks.scan]\nseconds = 0", "hooks.scan.seconds"),
        ("[[hooks.policy.rules]]\nname = 'x'", "words"),
        ("[hooks.policy]\nactive = ['flash']", "hooks.policy.active"),
        ("[[hooks.own]]\nname = 'x'\nkind = 'guard'", "either `rules` or a `capsule`"),
        ("[[hooks.own]]\nname = 'x'\nkind = 'guard'\ncapsule = 'x'", "hooks.own.0.capsule"),
        ("[hooks]\npatience_minutes = -1", "hooks.patience_minutes"),
        ("[hooks.policy]\nunread = 'maybe'", "hooks.policy.unread"),
        ("[[hooks.own]]\nname = 'scan'\nkind = 'guard'\nrules = 'x'", "have to be new"),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    with pytest.raises(Misconfigured, match=r"files\.toml") as wrong:
        hooks_of(text, "files.toml")
    assert complaint in str(wrong.value)


def test_rules_that_are_none_are_found_at_the_start(tmp_path: Path) -> None:
    """Not when the first file comes."""
    with pytest.raises(Misconfigured, match="cannot be read"):
        configured.rules_from(str(tmp_path / "missing.yar"))
    (tmp_path / "bad.yar").write_text("rule x {")
    with pytest.raises(Misconfigured, match="not YARA"):
        configured.rules_from(str(tmp_path / "bad.yar"))
    rules = '[[hooks.policy.rules]]\nname = "x"\npattern = "(unclosed"'
    (tmp_path / "files.toml").write_text(rules)
    with pytest.raises(Misconfigured, match="not YARA"):
        configured.read(Settings(data=tmp_path))


def test_words_become_rules(tmp_path: Path) -> None:
    """With whatever is in them."""
    words = [
        WordRule(name='say "no"', words=("a \\ b", 'q"uote', "日本")),
        WordRule(name="numbers", pattern=r"PRJ-\d{4}/[a-z]+"),
    ]
    (tmp_path / "words.yar").write_text(rules_of(words))
    assert configured.rules_from(str(tmp_path / "words.yar")).count("rule word_") == 2
    assert rules_of([]) == ""
