"""The files that one socket follows through the hooks. That way is short: a follow that is cut is
told and not opened anew. Pure."""

from gateway.actions import Action, Cause, Open
from gateway.telling import tell_error, too_many
from kari.chat_hub.v1.chat_hub_pb2 import FollowFileRequest
from servers.runtime.errors import KariError

FOLLOW = "FollowFile"
MOST = 64


class FollowedFiles:
    """What is followed, by file."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def follow(self, request: FollowFileRequest, cause: Cause) -> list[Action]:
        """Follows a file; a follow of it that is under way ends."""
        key = f"file:{request.file_id}"
        if len(self._keys) >= MOST and key not in self._keys:
            return [tell_error(cause, too_many("files are followed", MOST))]
        self._keys.add(key)
        return [Open(key, FOLLOW, request, cause)]

    def ended(self, stream: Open, error: KariError | None) -> list[Action]:
        """A follow has ended, well or not."""
        self._keys.discard(stream.key)
        return [] if error is None else [tell_error(stream.cause, error)]
