"""The commands of `kari files`."""

import sys
from functools import partial
from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TARGET = click.Path(path_type=Path)


@click.group()
def files() -> None:
    """Files of a user: up, down, listed and removed. docs/files.md says what becomes of them."""


@files.command()
@click.argument("paths", nargs=-1, required=True, type=FILE)
@click.option("--conversation", default="", metavar="ID", help="For this conversation.")
@click.option("--strip-metadata", is_flag=True, help="Take place, camera, author and such out.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def upload(
    paths: tuple[Path, ...], conversation: str, strip_metadata: bool, user: str, tenant: str
) -> None:
    """Upload the files PATHS and say what was found in them.

    After a cut it goes on by itself; the same command again goes on where one that was broken off
    has stopped, and tries a file anew that was refused, or that a hook could not read. The exit
    code is 1 if a file was refused.
    """
    from cli.file_uploads import Wanted, upload_all
    from cli.tools import run

    wanted = [Wanted(path, conversation, strip_metadata) for path in paths]
    sys.exit(run(partial(upload_all, wanted=wanted, user=user, tenant=tenant), user, tenant))


@files.command("list")
@click.option("--conversation", default="", metavar="ID", help="Those of this conversation.")
@click.option("--json", "as_json", is_flag=True, help="Print them as the contract has them.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def list_(conversation: str, as_json: bool, user: str, tenant: str) -> None:
    """List a user's files, the latest first, and how much room they take."""
    from cli.file_listing import show
    from cli.tools import run

    sys.exit(run(partial(show, conversation_id=conversation, as_json=as_json), user, tenant))


@files.command()
@click.argument("file_id", metavar="ID")
@click.argument("target", type=TARGET, default=".")
@click.option("--conversation", default="", metavar="ID", help="Through this conversation.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def download(
    file_id: str, target: Path, conversation: str, force: bool, user: str, tenant: str
) -> None:
    """Download the file ID to TARGET: a folder (here unless told), a file, or - for standard
    output.

    What was broken off goes on where it stopped. Its SHA-256 is checked.
    """
    from cli.file_downloads import Wanted
    from cli.file_downloads import download as run_download
    from cli.tools import run

    wanted = Wanted(file_id, target, conversation, force)
    sys.exit(run(partial(run_download, wanted=wanted), user, tenant))


@files.command()
@click.argument("file_ids", metavar="IDS", nargs=-1, required=True)
@click.option("--user", default="demo", show_default=True, help="Name of the user.")
@click.option("--tenant", default="demo", show_default=True, help="Name of the tenant.")
def remove(file_ids: tuple[str, ...], user: str, tenant: str) -> None:
    """Erase the files IDS, their text and what can be found of them."""
    from cli.file_listing import remove as run_remove
    from cli.tools import run

    sys.exit(run(partial(run_remove, file_ids=file_ids), user, tenant))
