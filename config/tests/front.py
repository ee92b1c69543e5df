"""What stands around a shop that is live: a proxy that speaks HTTPS, and a mail server."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer, StreamRequestHandler, ThreadingTCPServer
from typing import Any

import requests


class Proxy(ThreadingHTTPServer):
    """Ends HTTPS, if it has a certificate, and passes everything on to the address `shop`.

    What is set besides are faults.
    """

    def __init__(self, shop: str, certificate: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self._scheme = "https" if certificate else "http"
        if certificate:
            self.socket = certificate.wrap_socket(self.socket, server_side=True)
        self.shop = shop
        self.tells_scheme = True
        self.answers = 0  # a status, in the place of the shop's
        self.redirects_posts = False
        self.adds_to_bodies = b""

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that does not like the certificate."""


class _Passing(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.redirects_posts:
            self._answer(301, {"Location": self.server.url})
        else:
            self._pass_on(body + self.server.adds_to_bodies)

    def _pass_on(self, body: bytes) -> None:
        if self.server.answers:
            self._answer(self.server.answers)
            return
        headers = {name: self.headers[name] for name in self.headers if name != "Content-Length"}
        if self.server.tells_scheme:
            headers["X-Forwarded-Proto"] = "https"
        answer = requests.request(
            self.command,
            self.server.shop + self.path,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=10,
        )
        passed = {name: answer.headers[name] for name in ("Location",) if name in answer.headers}
        self._answer(answer.status_code, passed, answer.content)

    def _answer(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class MailServer(ThreadingTCPServer):
    """As much of SMTP as one mail needs; `received` are the mails."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiving)
        self.greeting = b"220 here"
        self.received: list[str] = []


class _Receiving(StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say(self.server.greeting)
        for line in iter(self.rfile.readline, b""):
            match line.split()[0].upper():
                case b"DATA":
                    self._say(b"354 go on")
                    mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.received.append(mail.decode())
                    self._say(b"250 taken")
                case b"QUIT":
                    self._say(b"221 bye")
                    return
                case _:
                    self._say(b"250 ok")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Let a server work in a thread of its own."""
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
