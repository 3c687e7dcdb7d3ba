"""How model_factory is put together."""

from kari.model_factory.v1.model_factory_pb2_grpc import add_ModelFactoryServiceServicer_to_server
from servers.composition.serving import served
from servers.model_factory.factory import ModelFactory
from servers.model_factory.servicer import ModelFactoryServicer
from servers.runtime.bootstrap import Hosted
from servers.wiring import Wiring


def put_together(w: Wiring) -> Hosted:
    """The server. The local model is loaded beside whatever else starts."""
    factory = ModelFactory.of_settings(w.settings)
    w.resources.add("local_model", factory.opened, ModelFactory.ping, required=False)
    return served(
        "model_factory",
        add_ModelFactoryServiceServicer_to_server,
        ModelFactoryServicer(factory),
    )
