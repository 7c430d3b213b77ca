"""Ports for servers of tests."""
import random
import socket

# Below those that the system gives to outgoing connections: one of these could take a port before its server does.
RANGE = range(15_000, 32_000)


def free_port(kind=socket.SOCK_STREAM):
    while True:
        port = random.choice(RANGE)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
