"""A WHIP publisher on GStreamer's webrtcbin: a program of its own for the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 gstreamer.py URL [PIPELINE OF PICTURES] [PIPELINE OF SOUND] [--correct] [--lose=N]

`--correct` protects pictures by ULPFEC in RED instead of by retransmission, and `--lose` takes every Nth packet of pictures away where they
leave, behind its making. It tells of its offer and of what it lost. It ends with DELETE when its standard input ends. Debian 12's whip-client is the same thing in C, but links libsoup in the version
that its ICE library does not, and so stops at once.
"""
import argparse
import sys
import threading
import urllib.request
from urllib.parse import urljoin

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402


class Publisher:
    def __init__(self, url, sources, correct, lose):
        self.url, self.resource = url, None
        self.lose, self.media, self.lost = lose, 0, 0
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch("webrtcbin name=peer bundle-policy=max-bundle " + " ".join(f"{source} ! peer." for source in sources))
        self.peer = self.pipeline.get_by_name("peer")
        for index in range(len(sources)):
            transceiver = self.peer.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            if correct and index == 0:
                transceiver.set_property("fec-type", GstWebRTC.WebRTCFECType.ULP_RED)
                transceiver.set_property("fec-percentage", 100)
        if lose:
            self.peer.get_by_name("rtpbin").connect("pad-added", self.watch)
        self.peer.connect("on-negotiation-needed", self.make_offer)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.failed)
        self.pipeline.set_state(Gst.State.PLAYING)

    def watch(self, _, pad):
        if pad.get_name() == "send_rtp_src_0":
            pad.add_probe(Gst.PadProbeType.BUFFER, self.pass_on)

    def pass_on(self, _, info):
        """RED's first byte is the payload type of what is in it: 96 are pictures."""
        data = info.get_buffer().extract_dup(0, 64)
        at = 12 + 4 * (data[0] & 15)
        if data[0] & 0x10:
            at += 4 + 4 * int.from_bytes(data[at + 2:at + 4], "big")
        if data[1] & 0x7F == 96 or data[at] & 0x7F == 96:
            self.media += 1
            if self.media > 100 and self.media % self.lose == 0:
                self.lost += 1
                if self.lost % 10 == 0:
                    print(f"lost {self.lost} packets", flush=True)
                return Gst.PadProbeReturn.DROP
        return Gst.PadProbeReturn.OK

    def make_offer(self, peer):
        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered, None))

    def offered(self, promise, _):
        # The offer lives as long as the reply does.
        reply = promise.get_reply()
        self.peer.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def gathered(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.resource:
            GLib.idle_add(self.post)

    def post(self):
        sdp = self.peer.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(self.url, sdp.encode(), {"Content-Type": "application/sdp"})
        with urllib.request.urlopen(request, timeout=15) as response:
            self.resource = urljoin(self.url, response.headers["Location"])
            _, message = GstSdp.SDPMessage.new_from_text(response.read().decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())
        print(sdp, "published", flush=True)
        return False

    def failed(self, _, message):
        print(message.parse_error(), flush=True)
        self.loop.quit()

    def run(self):
        threading.Thread(target=lambda: (sys.stdin.read(), GLib.idle_add(self.loop.quit)), daemon=True).start()
        self.loop.run()
        if self.resource:
            urllib.request.urlopen(urllib.request.Request(self.resource, method="DELETE"), timeout=10).close()
        self.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    Gst.init(None)
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--correct", action="store_true")
    parser.add_argument("--lose", type=int, default=0)
    options = parser.parse_args()
    Publisher(options.url, [source for source in options.sources if source], options.correct, options.lose).run()
