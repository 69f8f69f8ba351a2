"""A wire to a server that a test can cut, at any moment or at a chosen word that passes.

All that a client says goes through it, so it also counts what truly reached the server.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

When = Literal["before", "after", "answered"]


@dataclass
class Trap:
    """What happens when a word passes for the first time.

    ``before``: the word does not reach the server.  ``after``: it does.  ``answered``: it
    does and the server answers, but the answer reaches nobody.
    """

    word: bytes
    when: When
    act: Callable[[], None]
    sprung: bool = False


class Wire:
    """Listens on a port of its own and hands everything on to the server's."""

    def __init__(self, port: int) -> None:
        self._server_port, self._port = port, 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.trap: Trap | None = None
        self.starts: list[bytes] = []
        """The path of each request to start a print that reached the server."""
        self.mend()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def lead_to(self, port: int) -> None:
        """The server has come back at another port."""
        self._server_port = port

    def mend(self) -> None:
        """Listen, at the same port as before."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        listener.listen(50)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Close the port and everything that is open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for end in list(self._open):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            for source, sink, asks in ((client, server, True), (server, client, False)):
                pump = threading.Thread(target=self._pump, args=(source, sink, asks), daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, asks: bool) -> None:
        said = b""
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if asks:
                    said = (said + piece)[-(1 << 17) :]
                    self._asked(said, piece, source, sink)
                    if b'"print": true' in said:
                        path = said.rsplit(b"POST ", 1)[-1].split(b" ", 1)[0]
                        self.starts.append(path)
                    if b'"print"' in piece:
                        said = b""
                else:
                    sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            with self._lock:
                self._open.discard(end)

    def _asked(
        self, said: bytes, piece: bytes, client: socket.socket, server: socket.socket
    ) -> None:
        trap = self.trap
        if trap is None or trap.sprung or trap.word not in said:
            server.sendall(piece)
            return
        trap.sprung = True
        if trap.when == "before":
            trap.act()
            raise OSError("cut")
        if trap.when == "answered":
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)  # what the server answers goes nowhere
        server.sendall(piece)
        if trap.when == "answered":
            threading.Event().wait(0.5)
        trap.act()


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    made = Wire(port)
    try:
        yield made
    finally:
        made.cut()
