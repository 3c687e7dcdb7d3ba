"""The edge: brings browsers and API clients to the hub, over WebSocket and HTTP on one port."""
