"""A WHIP publisher on GStreamer's webrtcbin: a program of its own for the system's Python, which has GStreamer's bindings.

    /usr/bin/python3 gstreamer.py URL [PIPELINE OF PICTURES] [PIPELINE OF SOUND]

It ends with DELETE when its standard input ends. Debian 12's whip-client is the same thing in C, but links libsoup in the version
that its ICE library does not, and so stops at once.
"""
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
    def __init__(self, url, sources):
        self.url, self.resource = url, None
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch("webrtcbin name=peer bundle-policy=max-bundle " + " ".join(f"{source} ! peer." for source in sources))
        self.peer = self.pipeline.get_by_name("peer")
        for index in range(len(sources)):
            self.peer.emit("get-transceiver", index).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.peer.connect("on-negotiation-needed", self.make_offer)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.failed)
        self.pipeline.set_state(Gst.State.PLAYING)

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
        print("published", flush=True)
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
    Publisher(sys.argv[1], [source for source in sys.argv[2:] if source]).run()
