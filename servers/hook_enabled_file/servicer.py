"""Hook enabled file over gRPC: translates only."""

from kari.hook_enabled_file.v1.hook_enabled_file_pb2_grpc import HookEnabledFileServiceServicer


class HookEnabledFile(HookEnabledFileServiceServicer):
    """The way in for files: everything passes an ordered pipeline of hooks."""
