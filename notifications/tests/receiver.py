"""A shop's server on this machine: keeps what it is sent, and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """`answers`: what it does next, the last one for ever: a status, "silent", "drip" or "cut"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Any] = [200]
        self.headers: dict[str, str] = {}
        self.body = b""
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.busy = self.busiest = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks?shop=1"

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def handle_error(self, request: Any, address: Any) -> None:
        """Whoever was told to wait for ever has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        with server.lock:
            server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
        try:
            self._answer(answer)
        finally:
            with server.lock:
                server.busy -= 1

    def _answer(self, answer: Any) -> None:
        if answer == "silent":
            self.server.released.wait(5)
        elif answer == "drip":
            while not self.server.released.wait(0.05):
                self.wfile.write(b"H")
        elif answer != "cut":
            self.send_response(answer)
            for name, value in self.server.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
