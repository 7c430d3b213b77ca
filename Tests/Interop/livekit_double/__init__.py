"""A stand-in for livekit-server: RPC over a real Redis, signalling, and a receiver of media, on parts that the server under test has not."""
from .server import LiveKitDouble  # noqa: F401
