"""A network path between two namespaces of its own, with the faults of real networks.

`Path` makes two network namespaces, `near` and `far`, with a TUN device in each, and a process that carries IPv4 packets between the two
and harms them on the way as it is told. The namespaces have no names: they end with the last process and descriptor in them, and the
machine's own interfaces and routes are never touched. A thread enters one for a while; what it starts then, threads and processes, stays
there:

    with Path() as path:
        with path.near: server = Server("--bind", "0.0.0.0", log=log)
        path.up.set(loss=.05, delay=.02)
        with path.far: publisher = PeerPublisher(f"http://{path.NEAR}:{server.http}/whip/key")

Needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN), /dev/net/tun and iproute2. `reason_to_skip` says what is missing.
Run as a program this file is the process that carries the packets: netpath.py SEED NEAR_DESCRIPTOR FAR_DESCRIPTOR, with orders on its input.
"""
import contextlib
import ctypes
import dataclasses
import fcntl
import heapq
import itertools
import json
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import time

ICMP, TCP, UDP = 1, 6, 17
PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP}


@dataclasses.dataclass
class Faults:
    """What happens to packets of one direction. Times are seconds, shares are 0 to 1."""
    loss: float = 0
    # Packets that are lost in a row, on average. `loss` is the share of all packets in either case.
    burst: float = 1
    delay: float = 0
    # Added to the delay: with `reorder` anew for each packet, else as a queue's length that goes up and down.
    jitter: float = 0
    reorder: bool = False
    duplicate: float = 0
    # Bits a second; what does not fit into a queue of `queue` seconds is dropped.
    rate: float = 0
    queue: float = .2
    # Names of protocols that do not come through, or "all".
    closed: tuple = ()


# ---- The process that carries the packets ----


class Carrier:
    """One direction: packets in, and out again when it is time."""
    # A queue's length changes from one random value to the next in this time.
    SWING = .25

    def __init__(self, out, seed):
        self.out, self.random = out, random.Random(seed)
        self.faults = Faults()
        self.waiting, self.numbers = [], itertools.count()
        self.black_until = 0
        self.in_burst = False
        self.swings = (0, 0., 0.)
        self.last_release = self.busy_until = 0
        self.carried = self.dropped = 0

    def take(self, packet, now):
        if self.is_lost(packet, now):
            self.dropped += 1
            return
        faults = self.faults
        release = now
        if faults.rate:
            self.busy_until = max(self.busy_until, now)
            if self.busy_until - now > faults.queue:
                self.dropped += 1
                return
            self.busy_until += len(packet) * 8 / faults.rate
            release = self.busy_until
        copies = 2 if faults.duplicate and self.random.random() < faults.duplicate else 1
        for _ in range(copies):
            if faults.reorder:
                at = release + faults.delay + self.random.random() * faults.jitter
            else:
                at = self.last_release = max(self.last_release, release + faults.delay + self.swing(now) * faults.jitter)
            heapq.heappush(self.waiting, (at, next(self.numbers), packet))

    def is_lost(self, packet, now):
        faults = self.faults
        if now < self.black_until or "all" in faults.closed or any(PROTOCOLS[name] == packet[9] for name in faults.closed if name != "all"):
            return True
        if not faults.loss:
            return False
        if faults.burst <= 1:
            return self.random.random() < faults.loss
        # Two states (Gilbert); the second loses all and lasts `burst` packets on average.
        change = 1 / faults.burst if self.in_burst else faults.loss / (1 - faults.loss) / faults.burst
        self.in_burst ^= self.random.random() < change
        return self.in_burst

    def swing(self, now):
        """Where between 0 and 1 the queue's length is now."""
        if not self.faults.jitter:
            return 0
        number, before, after = self.swings
        while number <= now / self.SWING:
            number = max(number + 1, int(now / self.SWING))
            before, after = after, self.random.random()
            self.swings = (number, before, after)
        part = 1 - (number - now / self.SWING)
        return before + (after - before) * part

    def release(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            packet = heapq.heappop(self.waiting)[2]
            # A full queue of the device, or a namespace that ends: as lost as on a real network.
            with contextlib.suppress(OSError):
                os.write(self.out, packet)
                self.carried += 1

    @property
    def due(self):
        return self.waiting[0][0] if self.waiting else None


class Translator:
    """Source address and ports of the far side as others see them (RFC 4787: endpoint-independent mapping)."""

    def __init__(self):
        self.inside = None
        self.public, self.outward, self.inward, self.next_port = 0, {}, {}, 40_000

    def enable(self, inside, public):
        self.inside, self.public = ip(inside), ip(public)

    def rebind(self, public=None):
        """All of UDP gets new ports, and a new address if one is given; what is sent to the old ones is dropped."""
        if public:
            self.public = ip(public)
        self.inward = {key: value for key, value in self.inward.items() if key[0] != UDP}
        self.outward = {key: value for key, value in self.outward.items() if key[0] != UDP}

    def out(self, packet):
        """As it looks outside; None when it cannot be sent."""
        if self.inside is None or packet[12:16] != self.inside:
            return packet
        protocol, start = packet[9], (packet[0] & 15) * 4
        if protocol not in (TCP, UDP):
            return None
        key = (protocol, packet[start:start + 2])
        if key not in self.outward:
            self.next_port += 1
            mapped = (self.public, struct.pack(">H", self.next_port))
            self.outward[key] = mapped
            self.inward[(protocol, *mapped)] = key[1]
        address, port = self.outward[key]
        return rewrite(packet, 12, address, start, port)

    def back(self, packet):
        """As it looks inside; None when nobody there is meant."""
        if self.inside is None:
            return packet
        start = (packet[0] & 15) * 4
        port = self.inward.get((packet[9], packet[16:20], packet[start + 2:start + 4]))
        return port and rewrite(packet, 16, self.inside, start + 2, port)


def ip(text):
    return bytes(map(int, text.split(".")))


def rewrite(packet, address_at, address, port_at, port):
    """With another address and port, and the checksums that belong to them (RFC 1624)."""
    packet = bytearray(packet)
    change = total(address) - total(packet[address_at:address_at + 4])
    fix(packet, 10, change)
    change += total(port) - total(packet[port_at:port_at + 2])
    start = (packet[0] & 15) * 4
    checksum_at = start + (16 if packet[9] == TCP else 6)
    if packet[9] == TCP or packet[checksum_at:checksum_at + 2] != b"\0\0":
        fix(packet, checksum_at, change)
    packet[address_at:address_at + 4] = address
    packet[port_at:port_at + 2] = port
    return bytes(packet)


def total(data):
    return sum(struct.unpack(f">{len(data) // 2}H", data))


def fix(packet, at, change):
    value = (~struct.unpack_from(">H", packet, at)[0] & 0xFFFF) + change
    value = ~(value % 0xFFFF) & 0xFFFF
    struct.pack_into(">H", packet, at, value)


def checksum(data):
    return ~(total(data + bytes(len(data) % 2)) % 0xFFFF) & 0xFFFF


def reset(packet):
    """The RST that ends the connection of this segment, for the side that the segment goes to."""
    start = (packet[0] & 15) * 4
    head = bytearray(packet[:20])
    head[0] = 0x45
    struct.pack_into(">HHHBBH", head, 2, 40, 0, 0, 64, TCP, 0)
    struct.pack_into(">H", head, 10, checksum(bytes(head)))
    segment = bytearray(packet[start:start + 20])
    struct.pack_into(">BBHHH", segment, 12, 5 << 4, 0x14, 0, 0, 0)
    struct.pack_into(">H", segment, 16, checksum(bytes(head[12:20]) + struct.pack(">HH", TCP, 20) + bytes(segment)))
    return bytes(head + segment)


class Junction:
    """Both directions, the translation between them, and the orders."""

    def __init__(self, seed, near, far):
        self.near, self.far = near, far
        self.carriers = {"up": Carrier(near, f"{seed} up"), "down": Carrier(far, f"{seed} down")}
        self.translator = Translator()
        self.resetting = set()

    def run(self, orders, answers):
        text = b""
        while True:
            due = [carrier.due for carrier in self.carriers.values() if carrier.due is not None]
            wait = max(0, min(due) - time.monotonic()) if due else None
            readable = select.select([self.near, self.far, orders], [], [], wait)[0]
            for descriptor in readable:
                if descriptor != orders:
                    self.read(descriptor)
                    continue
                data = os.read(orders, 65_536)
                if not data:
                    return
                *lines, text = (text + data).split(b"\n")
                for line in lines:
                    os.write(answers, json.dumps(self.obey(json.loads(line))).encode() + b"\n")
            now = time.monotonic()
            for carrier in self.carriers.values():
                carrier.release(now)

    def read(self, descriptor):
        for _ in range(64):
            try:
                packet = os.read(descriptor, 2_048)
            except OSError:
                return
            if len(packet) >= 28 and packet[0] >> 4 == 4:
                self.route(packet, descriptor == self.far)

    def route(self, packet, upward):
        if packet[9] == TCP and self.resetting:
            self.cut(packet, upward)
        packet = self.translator.out(packet) if upward else self.translator.back(packet)
        if packet:
            self.carriers["up" if upward else "down"].take(packet, time.monotonic())

    def cut(self, packet, upward):
        """The other side of a connection to one of these ports hears that it has ended, and the sender with its next answer."""
        start = (packet[0] & 15) * 4
        source, destination, _, _, _, flags = struct.unpack_from(">HHIIBB", packet, start)
        if flags & 0x06 or not {source, destination} & self.resetting:
            return
        with contextlib.suppress(OSError):
            ended = reset(packet)
            ended = self.translator.out(ended) if upward else self.translator.back(ended)
            if ended:
                os.write(self.near if upward else self.far, ended)

    def obey(self, order):
        for name, carrier in self.carriers.items():
            if name in order.get("set", {}):
                carrier.faults = Faults(**order["set"][name])
            if seconds := order.get("black_out"):
                carrier.black_until = time.monotonic() + seconds
        if "translate" in order:
            self.translator.enable(*order["translate"])
        if "rebind" in order:
            self.translator.rebind(order["rebind"])
        if "resetting" in order:
            self.resetting = set(order["resetting"])
        return {name: {"carried": carrier.carried, "dropped": carrier.dropped} for name, carrier in self.carriers.items()}


# ---- Its user ----

libc = ctypes.CDLL(None, use_errno=True)
NEW_NETWORK = 0x4000_0000


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    """One side of the path. As a context it takes the calling thread there and back."""

    def __init__(self):
        home = own_namespace()
        try:
            call("unshare", NEW_NETWORK)
            self.descriptor = own_namespace()
            call("setns", home, NEW_NETWORK)
        finally:
            os.close(home)
        self.homes = []

    def __enter__(self):
        self.homes.append(own_namespace())
        call("setns", self.descriptor, NEW_NETWORK)
        return self

    def __exit__(self, *_):
        home = self.homes.pop()
        call("setns", home, NEW_NETWORK)
        os.close(home)

    def open_device(self, address):
        """A TUN device that has this address, and all else behind it; returns its descriptor."""
        with self:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            # TUNSETIFF with IFF_TUN and IFF_NO_PI
            fcntl.ioctl(device, 0x4004_54CA, struct.pack("16sH14x", b"path", 0x1001))
            for command in ("link set lo up", "link set path addrgenmode none", f"addr add {address}/24 dev path", "link set path up",
                            "route add default dev path"):
                subprocess.run(["ip", *command.split()], check=True, capture_output=True, text=True)
        return device

    def close(self):
        os.close(self.descriptor)


class Direction:
    def __init__(self, path, name):
        self.path, self.name = path, name

    def set(self, **faults):
        """These faults from now on and no others."""
        return self.path.order(set={self.name: dataclasses.asdict(Faults(**faults))})


class Path:
    NEAR, FAR, PUBLIC = "10.99.0.1", "10.99.0.2", "10.99.1.1"

    def __init__(self, seed=1):
        self.near, self.far = Namespace(), Namespace()
        # From far to near, and back.
        self.up, self.down = Direction(self, "up"), Direction(self, "down")
        devices = [self.near.open_device(self.NEAR), self.far.open_device(self.FAR)]
        self.process = subprocess.Popen([sys.executable, __file__, str(seed), *map(str, devices)], pass_fds=devices,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for device in devices:
            os.close(device)
        self.order()

    def order(self, **what):
        """Tells the process, and returns its counts of packets."""
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def set(self, **faults):
        """The same faults for both directions."""
        self.up.set(**faults)
        return self.down.set(**faults)

    def black_out(self, seconds):
        return self.order(black_out=seconds)

    def translate(self):
        """The far side is behind a NAT from now on."""
        return self.order(translate=[self.FAR, self.PUBLIC])

    def rebind(self, address=None):
        """The NAT forgets its mappings of UDP and makes new ones, on another address if one is given."""
        return self.order(rebind=address)

    def reset(self, *ports, seconds=1):
        """Connections to these TCP ports that carry something meanwhile are cut with RST."""
        self.order(resetting=ports)
        time.sleep(seconds)
        self.order(resetting=[])

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
        self.near.close()
        self.far.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def reason_to_skip():
    """Why no path can be asked for here; None where it has to work."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


def open_path(seed=1):
    """A path, or an AssertionError that says in a sentence why there is none."""
    assert shutil.which("ip"), "the program ip was not found: install iproute2"
    try:
        return Path(seed)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or error
        raise AssertionError(f"root with /dev/net/tun, and yet no network namespaces with TUN devices can be made: {told}") from error


if __name__ == "__main__":
    # Packets go before programs that only want to compute.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    Junction(*map(int, sys.argv[1:])).run(sys.stdin.fileno(), sys.stdout.fileno())
