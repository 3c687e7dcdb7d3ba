"""The commands of `kari`. Each imports its work when it runs, so that `--help` is quick."""

import sys
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from cli.capsule_commands import capsule
from cli.file_commands import FILE, files
from servers.runtime.settings import Misconfigured

EPILOG = "Settings are read from the environment (KARI_*); docs/settings.md lists them."
DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def kari() -> None:
    """Kari Chat: a conversational runtime as a gRPC mesh."""


@kari.command()
@click.option("--spread", is_flag=True, help="One process a server, as in production.")
def up(spread: bool) -> None:
    """Run everything in the foreground: stores, servers, gateway. Ctrl-C stops it."""
    from cli.up import run

    sys.exit(run(spread=spread))


@kari.command()
@click.argument("names", nargs=-1, required=True)
def serve(names: tuple[str, ...]) -> None:
    """Serve only the parts NAMES of the mesh, in this process.

    The stores have to be given: KARI_POSTGRES_URL, KARI_REDIS_URL, KARI_MILVUS_URL.
    """
    from servers.__main__ import main as serve_names

    sys.exit(serve_names(names))


@kari.command()
def migrate() -> None:
    """Bring the schema of KARI_POSTGRES_URL up to date. `kari up` does so by itself."""
    from cli.migrate import run

    sys.exit(run())


@kari.command()
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def token(user: str, tenant: str) -> None:
    """Print an access token of a user, for grpcurl and scripts.

    Works for whoever can read the mesh's key: the one who started Kari on this machine.
    """
    from cli.token import run

    sys.exit(run(user, tenant))


@kari.command()
@click.option("--once", metavar="TEXT", help="Send one message, print the answer, end.")
@click.option("--conversation", metavar="ID", help="Go on with this conversation.")
@click.option("--file", "paths", multiple=True, type=FILE, help="Goes with the first message.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def chat(
    once: str | None, conversation: str | None, paths: tuple[Path, ...], user: str, tenant: str
) -> None:
    """Chat in the terminal. /help lists the commands, Ctrl-C stops an answer, Ctrl-D ends."""
    from cli.chat import run

    sys.exit(run(once, conversation or "", paths, user, tenant))


@kari.command()
@click.argument("turn")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
@click.option("--prompt", is_flag=True, help="Print the prompt itself, byte for byte.")
def explain(turn: str, user: str, tenant: str, prompt: bool) -> None:
    """Say what the answer of TURN was made from: each candidate, its score, kept or cut, and why.

    TURN is an id such as turn_01a2..., as SendMessage gives it.
    """
    from cli.explain import run

    sys.exit(run(turn, user, tenant, prompt=prompt))


@kari.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--conversation", default="", metavar="ID", help="Only in this conversation.")
@click.option("--since", type=DATE, metavar="DATE", help="Only what was said from then on.")
@click.option("--until", type=DATE, metavar="DATE", help="Only what was said before then.")
@click.option("--role", type=click.Choice(["user", "assistant"]), help="Only what these said.")
@click.option("-n", "count", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as the contract has it.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def search(
    words: tuple[str, ...],
    conversation: str,
    since: datetime | None,
    until: datetime | None,
    role: str | None,
    count: int,
    as_json: bool,
    user: str,
    tenant: str,
) -> None:
    """Find what was said, by WORDS and by meaning, the best first.

    '"a phrase"' has to stand there as it is, and what has a dash before it must not: write
    'apples -pears' in quotes. DATE is 2026-03-01, or 2026-03-01T14:30, by this machine's clock.
    The exit code is 1 if nothing was found.
    """
    from cli.search import Wanted, run

    roles = [role] if role else []
    wanted = Wanted(" ".join(words), conversation, since, until, roles, count)
    sys.exit(run(wanted, user, tenant, as_json=as_json))


@kari.command()
@click.argument("tool", default="")
@click.option("--json", "as_json", is_flag=True, help="Print them as the contract has them.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def tools(tool: str, as_json: bool, user: str, tenant: str) -> None:
    """List the tools that a user may call, and why some cannot be called now; or say everything
    about TOOL, with its arguments."""
    from cli.tool_listing import show
    from cli.tools import run

    sys.exit(run(partial(show, tool_id=tool, as_json=as_json), user, tenant))


@kari.command()
@click.argument("tool")
@click.argument("arguments", default="{}")
@click.option("--conversation", default="", metavar="ID", help="Call it for this conversation.")
@click.option("--approve", is_flag=True, help="Allow it, where it asks before it runs.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def call(
    tool: str, arguments: str, conversation: str, approve: bool, user: str, tenant: str
) -> None:
    """Call TOOL with ARGUMENTS, an object as JSON, and print its result.

    Such as: kari call calculator '{"expression": "6*7"}'. The exit code is 1 if it failed.
    """
    from cli.tools import call as call_tool
    from cli.tools import run
    from kari.chat_hub.v1.chat_hub_pb2 import CallToolRequest

    request = CallToolRequest(
        tool_id=tool, arguments_json=arguments, conversation_id=conversation, approved=approve
    )
    sys.exit(run(partial(call_tool, request=request), user, tenant))


@kari.command()
@click.argument("turn")
@click.argument("call_id", metavar="CALL")
@click.option("--deny", is_flag=True, help="Refuse it.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def approve(turn: str, call_id: str, deny: bool, user: str, tenant: str) -> None:
    """Allow the tool about which TURN asks in CALL, as the user whose turn it is."""
    from cli.tools import approve as answer
    from cli.tools import run
    from kari.chat_hub.v1.chat_hub_pb2 import AnswerApprovalRequest

    request = AnswerApprovalRequest(turn_id=turn, call_id=call_id, approved=not deny)
    sys.exit(run(partial(answer, request=request), user, tenant))


@kari.command()
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
@click.option(
    "--approve",
    is_flag=True,
    help="Allow every call without asking: whoever talks to this server can then do whatever the "
    "user may.",
)
@click.option(
    "--http",
    metavar="HOST:PORT",
    help="Serve streamable HTTP there, for clients with the token, instead of stdin and stdout.",
)
def mcp(user: str, tenant: str, approve: bool, http: str | None) -> None:
    """Offer the tools of the mesh to MCP clients, with the rights of a user.

    Clients start this command and talk to it over its standard input and output. Tools that ask
    before they run have the client ask; one that cannot ask is refused. docs/mcp.md shows how
    clients are told.
    """
    from cli.mcp import run

    sys.exit(run(user, tenant, approve=approve, http=http))


@kari.command()
@click.option("--after", default="", metavar="PLACE", help="Go on where an earlier call stopped.")
def reindex(after: str) -> None:
    """Make all vectors again from what Postgres has, while the system serves."""
    from cli.reindex import run

    sys.exit(run(after))


@kari.group()
def audit() -> None:
    """The signed trail of who did what."""


@audit.command("verify")
def audit_verify() -> None:
    """Say whether the trail is as it was written, or which record is the first that is not."""
    from cli.audit import verify

    sys.exit(verify())


@audit.command("tail")
@click.option("-n", "count", default=20, show_default=True, help="How many of the last of them.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that come. Ctrl-C ends it.")
@click.option("--tenant", default="", metavar="ID", help="Only of this tenant.")
@click.option("--user", default="", metavar="ID", help="Only of this user.")
@click.option("--action", default="", metavar="TEXT", help="Only actions that begin so.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line.")
def audit_tail(
    count: int, follow: bool, tenant: str, user: str, action: str, as_json: bool
) -> None:
    """Print the last records: place, time, who, outcome, what."""
    from cli.audit import tail
    from kari.audit.v1.audit_pb2 import ListRecordsRequest

    request = ListRecordsRequest(
        after_sequence=-max(1, count),
        tenant_id=tenant,
        user_id=user,
        action_prefix=action,
        page_size=200,
    )
    sys.exit(tail(request, follow=follow, as_json=as_json))


@kari.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Show the work that waits behind the turns, and the jobs that were set aside."""
    if context.invoked_subcommand is None:
        from cli.jobs import show

        sys.exit(show())


@jobs.command()
@click.argument("ids", nargs=-1, type=int)
def retry(ids: tuple[int, ...]) -> None:
    """Try jobs that were set aside again: those of IDS, or all."""
    from cli.jobs import retry as run

    sys.exit(run(ids))


@jobs.command()
@click.argument("ids", nargs=-1, type=int, required=True)
def discard(ids: tuple[int, ...]) -> None:
    """Drop the jobs of IDS that were set aside. `kari reindex` makes their vectors all the same."""
    from cli.jobs import discard as run

    sys.exit(run(ids))


@kari.command()
def doctor() -> None:
    """Say what is configured, what answers, what is degraded, and how to mend it."""
    from cli.doctor import run

    sys.exit(run())


kari.add_command(capsule)
kari.add_command(files)


def main() -> None:
    """Runs a command; a wrong setting is told in a line and is exit code 2."""
    try:
        kari()
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
