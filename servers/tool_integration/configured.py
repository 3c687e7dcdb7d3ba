"""What the configuration makes of tools."""

from collections.abc import Collection
from dataclasses import replace

from kari.conversation_models.v1.tool_pb2 import ApprovalPolicy
from servers.runtime.settings import Settings
from servers.tool_integration.configuration import Configuration, ToolEntry
from servers.tool_integration.configuration_file import ConfigurationError, decode
from servers.tool_integration.registry import Adjust
from servers.tool_integration.tool import Offer

APPROVAL = {
    "never": ApprovalPolicy.APPROVAL_POLICY_NEVER,
    "always": ApprovalPolicy.APPROVAL_POLICY_ALWAYS,
}


def read(settings: Settings, built_in: Collection[str]) -> Configuration:
    """The configuration of the tools file; without one, the tools as they come. `built_in` are the
    ids of those that are always there."""
    path = settings.tools_file or settings.data / "tools.toml"
    if settings.tools_file is None and not path.exists():
        return Configuration()
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({type(error).__name__}); "
            "KARI_TOOLS_FILE has to name a readable TOML file"
        ) from error
    return decode(text, str(path), built_in)


def adjusting(configuration: Configuration) -> Adjust:
    """What the file says of each tool."""

    def adjust(offer: Offer) -> Offer:
        entry = configuration.tools.get(offer.tool.id)
        return offer if entry is None else _adjusted(offer, entry)

    return adjust


def _adjusted(offer: Offer, entry: ToolEntry) -> Offer:
    tool, tool_id = offer.tool, offer.tool.id
    changes = {
        "roles": None if entry.roles is None else frozenset(entry.roles),
        "calls_per_minute": entry.calls_per_minute,
        "calls_per_hour": entry.calls_per_hour,
        "timeout": entry.timeout,
        "approval": None if entry.approval is None else APPROVAL[entry.approval],
    }
    given = {name: value for name, value in changes.items() if value is not None}
    adjusted = replace(offer, tool=replace(tool, **given))  # type: ignore[arg-type]  # by name
    if entry.enabled:
        return adjusted
    off = f'`{tool_id}` is switched off here: `enabled` under [tools."{tool_id}"] in the tools file'
    return replace(adjusted, disabled=True, unavailable=off)
