"""The commands of `kari capsule`."""

import sys
from functools import partial
from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def capsule() -> None:
    """Contained skills: write, check, sign and run them. docs/capsules.md shows how."""


@capsule.command()
@click.argument("name")
@click.option(
    "--in", "place", type=FOLDER, default=".", help="Folder to write it to; here unless told."
)
def new(name: str, place: Path) -> None:
    """Write a folder NAME with a capsule that works, and a test of it."""
    from cli.capsule_folders import write_new

    sys.exit(write_new(name, place))


@capsule.command()
@click.argument("folder", type=FOLDER)
def validate(folder: Path) -> None:
    """Say what is wrong with the capsule in FOLDER, or that it is in order.

    Its handler is imported in the jail in which it will run. The exit code is 1 if it cannot be
    run.
    """
    from cli.capsule_folders import validate as run

    sys.exit(run(folder))


@capsule.command()
@click.argument("name")
@click.option("--key", type=FILE, required=True, help="File to write the private key to.")
def keygen(name: str, key: Path) -> None:
    """Make a key that signs capsules as NAME; prints its line for KARI_CAPSULE_KEYS."""
    from cli.capsule_folders import keygen as run

    sys.exit(run(name, key))


@capsule.command()
@click.argument("folder", type=FOLDER)
@click.option("--key", type=FILE, required=True, help="Private key, as `keygen` makes one.")
@click.option("--name", default="", help="Name of the key; that of its file unless told.")
def sign(folder: Path, key: Path, name: str) -> None:
    """Sign all files of the capsule in FOLDER."""
    from cli.capsule_folders import sign as run

    sys.exit(run(folder, key, name or key.stem))


@capsule.command("list")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def list_(user: str, tenant: str) -> None:
    """List the capsules that a user may run, and why some cannot be run."""
    from cli.capsule_runs import show
    from cli.tools import run

    sys.exit(run(show, user, tenant))


@capsule.command()
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def runs(user: str, tenant: str) -> None:
    """List the runs of a user that kept checkpoints, the latest first."""
    from cli.capsule_runs import show_runs
    from cli.tools import run

    sys.exit(run(show_runs, user, tenant))


@capsule.command()
@click.argument("id_", metavar="ID")
@click.option("--input", "given", default="", help="Its input: JSON, or @ and the name of a file.")
@click.option("--resume", default="", metavar="RUN", help="Go on with a run that did not end.")
@click.option("--conversation", default="", metavar="ID", help="Run it for this conversation.")
@click.option("--approve", is_flag=True, help="Allow it, where it asks before it runs.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def run(
    id_: str, given: str, resume: str, conversation: str, approve: bool, user: str, tenant: str
) -> None:
    """Run the capsule ID and print its result; what it tells on the way goes to standard error.

    Such as: kari capsule run capsule.hello --input '{"name": "Ada"}'. The exit code is 1 if it
    failed.
    """
    from cli.capsule_runs import arguments, run_capsule
    from cli.tools import run as as_user
    from kari.chat_hub.v1.chat_hub_pb2 import CallToolRequest

    request = CallToolRequest(
        tool_id=id_ if id_.startswith("capsule.") else f"capsule.{id_}",
        arguments_json=arguments(given, resume),
        conversation_id=conversation,
        approved=approve,
    )
    sys.exit(as_user(partial(run_capsule, request=request), user, tenant))
