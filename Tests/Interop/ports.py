"""Ports for servers of tests."""
import itertools
import random
import socket

# Below those that the system gives to outgoing connections: one of these could take a port before its server does.
RANGE = range(15_000, 32_000)
# None comes twice: a port that was given out stays free until its server starts.
ORDER = itertools.cycle(random.sample(RANGE, len(RANGE)))


def free_port(kind=socket.SOCK_STREAM):
    for port in ORDER:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
