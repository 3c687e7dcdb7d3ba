"""The models file: what it may say, and what is said about mistakes."""

import re
from pathlib import Path

import pytest

from servers.model_factory import configured
from servers.model_factory.configuration import LOCAL_ID, Configuration, entries
from servers.model_factory.configuration_file import ConfigurationError, decode
from servers.runtime.settings import Settings

GOOD = """
[providers.openai]
kind = "openai"
base_url = "https://api.openai.com/v1"
key_env = "TEST_MODELS_KEY"
[[providers.openai.models]]
id = "gpt-mini"
[routing]
complex = "openai/gpt-mini"
"""
ROOT = Path(__file__).parents[2]


def test_no_file_is_the_local_model_alone(tmp_path: Path) -> None:
    configuration = configured.read(Settings(data=tmp_path))
    assert list(entries(configuration)) == [LOCAL_ID]


def test_the_file_in_the_data_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(GOOD)
    configuration = configured.read(Settings(data=tmp_path))
    assert list(entries(configuration)) == ["openai/gpt-mini", LOCAL_ID]


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, models_file=tmp_path / "absent.toml")
    with pytest.raises(ConfigurationError, match=r"absent\.toml.*KARI_MODELS_FILE"):
        configured.read(settings)


@pytest.mark.parametrize(
    ("change", "field", "way_out"),
    [
        (("[routing]", "[rooting]"), "the file", "unknown field `rooting`"),
        (('kind = "openai"', 'kind = "opening"'), "providers.openai.kind", "docs/models.md"),
        (('base_url = "https', 'bass_url = "https'), "providers.openai", "unknown field"),
        (("https://api.openai.com/v1", "api.openai.com"), "providers.openai.base_url", "regex"),
        (('id = "gpt-mini"', "id = 3"), "providers.openai.models[0].id", "Expected `str`"),
        (("[[providers.openai.models]]\nid", "x"), "providers.openai", "unknown field `x`"),
        (('complex = "openai/', 'complex = "closed/'), "routing.complex", "known are openai/gpt"),
        (("key_env =", "key_file = 'x'\nkey_env ="), "providers.openai.base_url", "keep one"),
        (("providers.openai", "providers.local"), "providers.local", "[local]"),
        (("[routing]", "[[providers]]"), "", "TOML"),
        (("[routing]", 'calls_tools = "yes"\n[routing]'), "models[0].calls_tools", "`bool`"),
        (("[routing]", 'tool_history = "no"\n[routing]'), "models[0].tool_history", "enum value"),
        (("[routing]", "max_output_tokens = 200000\n[routing]"), "max_output_tokens", "smaller"),
        (
            ("[routing]", '[[providers.openai.models]]\nid = "gpt-mini"\n[routing]'),
            "models[1].id",
            "twice",
        ),
    ],
)
def test_a_mistake_is_told_with_its_file_its_field_and_the_way_out(
    change: tuple[str, str], field: str, way_out: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        decode(GOOD.replace(*change), "models.toml")
    message = str(caught.value)
    assert message.startswith("models.toml: ")
    assert way_out in message
    assert field in message or "keep one" in message


def test_a_key_that_is_not_set_is_told_without_guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_MODELS_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="TEST_MODELS_KEY is not set; set it"):
        configured.providers(decode(GOOD, "models.toml"))


@pytest.mark.parametrize("content", [None, "", "two\nlines"])
def test_a_key_file_has_to_hold_one_key(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    text = GOOD.replace('key_env = "TEST_MODELS_KEY"', f'key_file = "{path}"')
    with pytest.raises(ConfigurationError, match=r"providers\.openai\.key_file"):
        configured.providers(decode(text, "models.toml"))


def test_models_call_tools_unless_the_file_says_that_they_do_not() -> None:
    said = GOOD.replace("[routing]", "calls_tools = false\n[routing]")
    for text, calls in ((GOOD, True), (said, False)):
        models = entries(decode(text, "models.toml"))
        assert models["openai/gpt-mini"].calls_tools is calls
        assert models[LOCAL_ID].calls_tools is False


def test_an_empty_file_is_as_good_as_none() -> None:
    assert decode("", "models.toml") == Configuration()


def test_the_file_in_the_documentation_is_a_good_one() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/models.md").read_text(), re.DOTALL)
    configuration = decode(max(blocks, key=len), "docs/models.md")
    assert len(configuration.providers) >= 3
    assert configuration.routing.fallback
