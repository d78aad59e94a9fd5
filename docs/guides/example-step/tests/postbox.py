"""A mail server for tests: takes what comes, or answers by plan."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


class Postbox:
    """`answers` has what is said to a command instead of 250, as in {"RCPT TO:<A@B.EXAMPLE>": "550 unknown"}."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.is_silent = False
        self.messages: list[EmailMessage] = []
        self.port = 0

    @contextmanager
    def running(self) -> Iterator["Postbox"]:
        """Take mail on a free port of 127.0.0.1."""
        box = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                box.serve(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        with Server(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join(10)

    def serve(self, lines: Any, output: Any) -> None:
        """One connection."""
        if self.is_silent:
            lines.readline()
            return
        output.write(b"220 postbox\r\n")
        while line := lines.readline().decode().strip().upper():
            answer = self.answers.get(line, self.answers.get(line.split(" ")[0], "250 ok"))
            if line == "DATA" and answer == "250 ok":
                output.write(b"354 go on\r\n")
                self._take(lines)
            output.write(f"{answer}\r\n".encode())
            if line == "QUIT":
                return

    def _take(self, lines: Any) -> None:
        content = b""
        while (line := lines.readline()) not in (b".\r\n", b""):
            content += line.removeprefix(b".") if line.startswith(b"..") else line
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
