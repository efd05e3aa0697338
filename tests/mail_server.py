"""A mail server that answers as a test wants it to."""

import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager

from pytest_django.fixtures import Settings

OK = "250 ok"


class MailServer(socketserver.ThreadingTCPServer):
    """`answers` are by verb, "." being the end of a letter, and by recipient; everything else is taken."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.answers: dict[str, str] = {}
        self.hangs = False
        self.says_nothing_of_letters = False
        self.connections = 0
        self.asked: list[str] = []
        self.taken: list[str] = []
        """Recipients, as those that were asked for."""


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.server.connections += 1
        if self.server.hangs:
            self.rfile.read()
            return
        self._say("220 here")
        recipient = ""
        while line := self.rfile.readline().decode():
            verb = line[:4].upper().strip()
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                self.server.asked.append(recipient)
                self._say(self.server.answers.get(recipient, OK))
            elif verb == "DATA":
                self._say("354 go on")
                self._take(recipient)
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say(self.server.answers.get(verb, OK))

    def _take(self, recipient: str) -> None:
        while self.rfile.readline() != b".\r\n":
            pass
        answer = self.server.answers.get(".", OK)
        if answer == OK:
            self.server.taken.append(recipient)
        if not self.server.says_nothing_of_letters:
            self._say(answer)

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


@contextmanager
def mail_server(settings: Settings) -> Generator[MailServer]:
    """One that letters are handed to inside."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.server_address[1]
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
