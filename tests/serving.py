"""Servers on loopback that tests start and stop."""

from __future__ import annotations

import base64
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # with the usual 5, a client of fifty connections waits for seconds

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that left early is no fault to print into whatever test runs by then."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def served(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The address of a server that answers while the block runs."""
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # a quick end
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def serving(folder: Path, login: str = "") -> Iterator[str]:
    """The address that a folder's files are served at; to NAME:PASSWORD alone where it is given."""
    wanted = "Basic " + base64.b64encode(login.encode()).decode()

    class Files(SimpleHTTPRequestHandler):
        """One folder, quietly."""

        def __init__(self, *words: Any, **named: Any) -> None:  # noqa: ANN401 - as its base has it
            super().__init__(*words, directory=str(folder), **named)

        def do_GET(self) -> None:
            """Send a file, or ask who it is."""
            if login and self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="lab"')
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with served(Files) as host:
        yield f"http://{host}"
