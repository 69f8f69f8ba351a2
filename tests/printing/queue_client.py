"""A dispatcher of its own process, to be killed: ``queue_client.py NAME=URL…``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from labkit.printing.dispatcher import Dispatcher
from labkit.printing.hubs.dispatch import Policy
from labkit.printing.lab_places import lab_places
from labkit.printing.servers.kind import Printer
from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.servers.practice import PracticePrinter, practice_number


def main(*words: str) -> None:
    urls = dict(word.split("=", 1) for word in words)

    @contextmanager
    def connect(name: str) -> Iterator[tuple[Printer, bool]]:
        practice = PracticePrinter(number=practice_number(name) or 1)
        yield OctoPrint(urls[name], practice.key_file.read_text().strip()), True

    Dispatcher(connect=connect, printers=tuple(urls), places=lab_places, policy=Policy()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
