"""Code execution over gRPC: translates only."""

from kari.code_execution.v1.code_execution_pb2_grpc import CodeExecutionServiceServicer


class CodeExecution(CodeExecutionServiceServicer):
    """Runs code of users and models in a sandbox."""
