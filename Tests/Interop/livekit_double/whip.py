"""The server's own WHIP endpoint, to which an ingress service hands offers on: answers by aiortc, and notices over RPC."""
import asyncio

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from google.protobuf.empty_pb2 import Empty
from livekit.protocol import ingress

from .messages import WHIPRTCConnectionNotifyRequest
from .psrpc import Error, identifier
from .signalling import Refused

FRAGMENT = "application/trickle-ice-sdpfrag"


class Publication:
    """A participant that publishes by WHIP."""

    def __init__(self, claims, request, offer):
        self.sid = identifier("PA_")
        self.identity, self.room = claims["sub"], claims["video"]["room"]
        self.headers, self.offer = request.headers, offer
        self.tag = identifier("")
        self.pc = RTCPeerConnection()
        self.tracks = {}
        self.patches, self.notices = [], []
        self.deletes = 0
        self.here = True

    def fragment(self):
        """The answer to a restart, which is on paper only: aiortc cannot."""
        return f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:{self.tag}\r\na=ice-pwd:{identifier('', 24)}\r\n"


class WHIP:
    def __init__(self, signalling, handler):
        self.signalling, self.handler = signalling, handler
        self.publications = []
        self.refuse = []
        self.tells = True
        self.interval = 0.5
        self.location = "/whip/v1/{sid}"
        self.links = []
        self.tasks = set()
        signalling.app.add_routes([web.post("/whip/v1", self._create), web.patch("/whip/v1/{sid}", self._patch),
                                   web.delete("/whip/v1/{sid}", self._delete)])

    async def _create(self, request):
        try:
            _, claims = self.signalling.check(request)
        except Refused as error:
            return web.Response(status=error.status, text=error.text)
        if self.refuse:
            return web.Response(status=self.refuse.pop(0), text="refused on request")
        if request.headers.get("Content-Type") != "application/sdp":
            return web.Response(status=400, text="unsupported content-type")
        publication = Publication(claims, request, await request.text())
        for older in [p for p in self.publications if p.here and (p.identity, p.room) == (publication.identity, publication.room)]:
            await self.end(older)
        self.publications.append(publication)

        @publication.pc.on("track")
        def on_track(track):
            self.spawn(self._watch(publication, track))

        await publication.pc.setRemoteDescription(RTCSessionDescription(publication.offer, "offer"))
        await publication.pc.setLocalDescription(await publication.pc.createAnswer())
        if "X-Livekit-Ingress" in request.headers:
            self.spawn(self._tell_on(publication))
        return web.Response(status=201, text=publication.pc.localDescription.sdp, content_type="application/sdp",
                            headers=[("Location", self.location.format(sid=publication.sid)), ("ETag", publication.tag),
                                     *(("Link", link) for link in self.links)])

    def _find(self, request):
        self.signalling.check(request)
        return next((p for p in self.publications if p.sid == request.match_info["sid"] and p.here), None)

    async def _patch(self, request):
        publication = self._find(request)
        if publication is None:
            return web.Response(status=404, text="participant not found")
        condition = request.headers.get("If-Match")
        publication.patches.append((condition, await request.text()))
        if request.headers.get("Content-Type") != FRAGMENT or not condition:
            return web.Response(status=400, text="no fragment")
        if condition != "*":
            return web.Response(status=204 if condition == publication.tag else 500)
        publication.tag = identifier("")
        return web.Response(text=publication.fragment(), headers={"ETag": publication.tag}, content_type=FRAGMENT)

    async def _delete(self, request):
        publication = self._find(request)
        if publication is None:
            return web.Response(status=404, text="participant not found")
        publication.deletes += 1
        await self.end(publication, tells=False)
        return web.Response()

    async def _watch(self, publication, track):
        """A track is known from its first frame on."""
        frame = await track.recv()
        publication.tracks[track.kind] = frame
        sink = MediaBlackhole()
        sink.addTrack(track)
        await sink.start()

    def _states(self, publication):
        states = {}
        if (picture := publication.tracks.get("video")) is not None:
            states["video"] = ingress.InputVideoState(mime_type="video/VP8", width=picture.width, height=picture.height, average_bitrate=500_000)
        if "audio" in publication.tracks:
            states["audio"] = ingress.InputAudioState(mime_type="audio/opus", channels=2, average_bitrate=64_000)
        return states

    async def tell(self, publication, closed=False):
        """Gives whether somebody heard it."""
        notice = WHIPRTCConnectionNotifyRequest(participant_id=publication.sid, closed=closed, **self._states(publication))
        try:
            await self.handler.request("WHIPRTCConnectionNotify", notice, Empty, topic=publication.sid, claim=False, timeout=1)
        except Error:
            return False
        publication.notices.append(notice)
        return True

    async def _tell_on(self, publication):
        while publication.here:
            if self.tells:
                await self.tell(publication)
            await asyncio.sleep(self.interval)

    async def end(self, publication, tells=True):
        publication.here = False
        await publication.pc.close()
        if tells:
            self.spawn(self.tell(publication, closed=True))

    def spawn(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def close(self):
        for publication in self.publications:
            await self.end(publication, tells=False)
        for task in list(self.tasks):
            task.cancel()
