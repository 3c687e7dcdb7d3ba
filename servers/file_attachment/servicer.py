"""File attachment over gRPC: translates only."""

from kari.file_attachment.v1.file_attachment_pb2_grpc import FileAttachmentServiceServicer


class FileAttachment(FileAttachmentServiceServicer):
    """Validates, stores and serves files."""
