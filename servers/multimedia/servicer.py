"""Multimedia over gRPC: translates only."""

from kari.multimedia.v1.multimedia_pb2_grpc import MultimediaServiceServicer


class Multimedia(MultimediaServiceServicer):
    """Images, recordings and videos to text and facts."""
