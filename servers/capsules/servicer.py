"""Capsules over gRPC: translates only."""

from kari.capsules.v1.capsules_pb2_grpc import CapsulesServiceServicer


class Capsules(CapsulesServiceServicer):
    """Discovers capsules, contained skills, and runs them."""
