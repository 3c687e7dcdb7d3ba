"""Tool integration over gRPC: translates only."""

from kari.tool_integration.v1.tool_integration_pb2_grpc import ToolIntegrationServiceServicer


class ToolIntegration(ToolIntegrationServiceServicer):
    """The one way to a tool: known, role, limit, schema, policy; then it runs, and is audited."""
