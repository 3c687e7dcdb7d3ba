"""Seconds as protobuf durations."""

from google.protobuf.duration_pb2 import Duration


def duration(seconds: float) -> Duration:
    """The duration of so many seconds."""
    message = Duration()
    message.FromNanoseconds(int(seconds * 1e9))
    return message
