"""A threaded WSGI server in one process."""

import socketserver
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.core.handlers.wsgi import WSGIHandler

from stripe_sandbox.twin import ENVIRON_KEY, Twin
from stripe_sandbox.web import CONNECTION_KEY


class _Handler(WSGIRequestHandler):
    timeout = 30  # a silent client does not keep its thread for ever

    def get_environ(self) -> dict[str, Any]:
        return super().get_environ() | {CONNECTION_KEY: self.connection}

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: paths hold session ids, and the shop has its own log."""


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a request that is told to be slow does not hold up the end
    request_queue_size = 128

    def __init__(self, host: str, port: int, twin: Twin) -> None:
        super().__init__((host, port), _Handler)
        self.base_environ[ENVIRON_KEY] = twin
        self.set_app(WSGIHandler())

    def server_bind(self) -> None:
        # HTTPServer's own would ask the name service for our name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()
