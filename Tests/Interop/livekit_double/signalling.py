"""The websocket side: tokens, joins, tracks, offers, resumes, and the faults that a test may ask for."""
import asyncio
import dataclasses
import json
import time

import aiohttp
import jwt
from aiohttp import web
from livekit.protocol import models, rtc

from .media import Receiver
from .psrpc import identifier

Action, Reason = rtc.LeaveRequest.Action, models.DisconnectReason
QUALITIES = {"q": models.LOW, "h": models.MEDIUM, "f": models.HIGH}


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


@dataclasses.dataclass
class Track:
    request: rtc.AddTrackRequest
    info: models.TrackInfo
    is_owner_active: bool  # when the track was asked for


@dataclasses.dataclass
class Room:
    name: str
    sid: str = dataclasses.field(default_factory=lambda: identifier("RM_"))
    participants: list = dataclasses.field(default_factory=list)


class Participant:
    """One join. A resume stays the same participant, a full reconnect is another one."""

    def __init__(self, room, claims, query, token):
        self.room, self.claims, self.query, self.tokens = room, claims, query, [token]
        self.sid = identifier("PA_")
        self.identity = claims["sub"]
        self.attributes = dict(claims.get("attributes", {}))
        self.joined_at = time.time()
        self.state = models.ParticipantInfo.JOINING
        self.tracks, self.requests, self.resumes, self.pings = [], [], 0, 0
        self.socket = self.left = self.receiver = None
        self.loop = asyncio.get_running_loop()

    @property
    def here(self):
        return self.left is None

    @property
    def active(self):
        return self.here and self.state == models.ParticipantInfo.ACTIVE

    def track(self, kind=models.VIDEO):
        return next((track for track in self.tracks if track.info.type == kind), None)

    def stream(self, rid=None, kind="video"):
        return self.receiver.stream(rid, kind) if self.receiver else None

    @property
    def audio(self):
        return self.stream(kind="audio")

    def describe(self):
        return models.ParticipantInfo(
            sid=self.sid, identity=self.identity, state=self.state, tracks=[track.info for track in self.tracks], name=self.claims.get("name", ""),
            metadata=self.claims.get("metadata", ""), joined_at=int(self.joined_at), is_publisher=bool(self.tracks),
            kind=models.ParticipantInfo.INGRESS if self.claims.get("kind") == "ingress" else models.ParticipantInfo.STANDARD,
            attributes=self.attributes)

    async def tell(self, **message):
        if self.socket is not None and not self.socket.closed:
            await self.socket.send_bytes(rtc.SignalResponse(**message).SerializeToString())

    async def leave(self, action, reason):
        """Tells the participant to go, and how to come back."""
        await self.tell(leave=rtc.LeaveRequest(can_reconnect=action != Action.DISCONNECT, action=action, reason=reason))
        if action != Action.RESUME:
            await self.gone(reason)

    async def gone(self, reason):
        """Ends the participant on the server's side."""
        if self.left is None:
            self.left, self.state = reason, models.ParticipantInfo.DISCONNECTED
            if self.receiver:
                await self.receiver.close()
            if self.socket is not None:
                await self.socket.close()


class Signalling:
    def __init__(self, key, secret):
        self.key, self.secret = key, secret
        self.rooms = {}
        self.participants = []
        self.refuse = []
        self.dials = []
        self.late_room_sid = False
        self.max_rooms = None
        self.app = web.Application()
        self.app.add_routes([web.get("/rtc/validate", self._validate), web.get("/rtc", self._socket), web.get("/", self._root),
                             web.post("/twirp/livekit.RoomService/RemoveParticipant", self._remove)])

    def room(self, name):
        return self.rooms.setdefault(name, Room(name))

    def live(self, identity=None, room=None):
        """The participants that are in a room now, oldest first."""
        return [p for p in self.participants if p.here and identity in (None, p.identity) and room in (None, p.room.name)]

    def faults(self):
        """What real servers would not have understood."""
        return [f"media came, and no track was added for it: {stream}" for p in self.participants if p.receiver
                for stream in p.receiver.streams if not any(track.info.mid == stream.mid for track in p.tracks)]

    async def delete_room(self, name):
        for participant in self.live(room=name):
            await participant.leave(Action.DISCONNECT, Reason.ROOM_DELETED)
        self.rooms.pop(name, None)

    async def drop_socket(self, participant):
        """Cuts the TCP connection below the websocket without a word."""
        participant.socket._req.transport.abort()

    async def want(self, participant, **enabled):
        """Subscribers' wishes: `want(p, q=True, f=False)` names the layers by rid; those not named stay as they were."""
        track = participant.track()
        wishes = participant.__dict__.setdefault("wishes", {layer.quality: True for layer in track.request.layers})
        wishes.update({QUALITIES[rid]: on for rid, on in enabled.items()})
        qualities = [rtc.SubscribedQuality(quality=quality, enabled=on) for quality, on in sorted(wishes.items())]
        codec = track.request.simulcast_codecs[0].codec.lower().removeprefix("video/") if track.request.simulcast_codecs else "h264"
        await participant.tell(subscribed_quality_update=rtc.SubscribedQualityUpdate(
            track_sid=track.info.sid, subscribed_qualities=qualities, subscribed_codecs=[rtc.SubscribedCodec(codec=codec, qualities=qualities)]))

    def check(self, request):
        """The claims of a request that may come in."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get("access_token", "")
        try:
            claims = jwt.decode(token, self.secret, algorithms=["HS256"], issuer=self.key, leeway=60, options={"require": ["exp"]})
        except jwt.InvalidTokenError as error:
            raise Refused(401, f"invalid authorization token: {error}") from None
        grants = claims.get("video", {})
        if not grants.get("roomJoin"):
            raise Refused(401, "permissions denied")
        if not claims.get("sub"):
            raise Refused(400, "identity cannot be empty")
        if not grants.get("room"):
            raise Refused(400, "room name cannot be empty")
        if self.refuse:
            raise Refused(self.refuse.pop(0), "refused on request")
        return token, claims

    async def _remove(self, request):
        wanted = await request.json()
        try:
            claims = jwt.decode(request.headers["Authorization"].removeprefix("Bearer "), self.secret, algorithms=["HS256"], issuer=self.key)
        except jwt.InvalidTokenError:
            return web.json_response({"code": "unauthenticated"}, status=401)
        if not claims["video"].get("roomAdmin") or claims["video"].get("room") != wanted["room"]:
            return web.json_response({"code": "permission_denied"}, status=403)
        there = self.live(wanted["identity"], wanted["room"])
        for participant in there:
            await participant.leave(Action.DISCONNECT, Reason.PARTICIPANT_REMOVED)
        return web.json_response({} if there else {"code": "not_found"}, status=200 if there else 404)

    async def _root(self, request):
        return web.Response(text="OK")

    async def _validate(self, request):
        try:
            self.check(request)
        except Refused as error:
            return web.Response(status=error.status, text=error.text)
        return web.Response(text="success")

    async def _socket(self, request):
        self.dials.append((time.monotonic(), dict(request.query)))
        try:
            token, claims = self.check(request)
        except Refused as error:
            return web.Response(status=error.status, text=error.text)
        socket = web.WebSocketResponse(heartbeat=10)
        if not socket.can_prepare(request):
            return web.Response(status=404)
        await socket.prepare(request)
        if request.query.get("reconnect") in ("1", "true"):
            participant = await self._resume(socket, request, token)
        else:
            participant = await self._join(socket, request, token, claims)
        if participant:
            await self._serve(participant, socket)
        return socket

    async def _join(self, socket, request, token, claims):
        here = self.room(claims["video"]["room"])
        for older in self.live(claims["sub"], here.name):
            await older.leave(Action.DISCONNECT, Reason.DUPLICATE_IDENTITY)
        participant = Participant(here, claims, dict(request.query), token)
        participant.socket = socket
        here.participants.append(participant)
        self.participants.append(participant)
        described = models.Room(sid="" if self.late_room_sid else here.sid, name=here.name, empty_timeout=60, departure_timeout=20)
        await participant.tell(join=rtc.JoinResponse(
            room=described, participant=participant.describe(), server_version="1.13.5",
            subscriber_primary=bool(claims["video"].get("canSubscribe", True)),
            ping_timeout=15, ping_interval=5, server_info=models.ServerInfo(version="1.13.5", protocol=17, node_id="ND_double"),
            enabled_publish_codecs=[models.Codec(mime=mime) for mime in ("video/VP8", "video/H264", "audio/opus", "audio/red")], fast_publish=True))
        await self._refresh(participant)
        if self.late_room_sid:
            await participant.tell(room_update=rtc.RoomUpdate(room=models.Room(sid=here.sid, name=here.name)))
        return participant

    async def _resume(self, socket, request, token):
        participant = next((p for p in self.participants if p.sid == request.query.get("sid") and p.here), None)
        if participant is None:
            leave = rtc.LeaveRequest(can_reconnect=True, action=Action.RECONNECT, reason=Reason.STATE_MISMATCH)
            await socket.send_bytes(rtc.SignalResponse(leave=leave).SerializeToString())
            await socket.close()
            return None
        old, participant.socket = participant.socket, socket
        if old is not None and not old.closed:
            await old.close()
        participant.resumes += 1
        participant.tokens.append(token)
        await participant.tell(reconnect=rtc.ReconnectResponse())
        await participant.tell(update=rtc.ParticipantUpdate(participants=[participant.describe()]))
        await participant.tell(room_update=rtc.RoomUpdate(room=models.Room(sid=participant.room.sid, name=participant.room.name)))
        await self._refresh(participant)
        return participant

    async def _refresh(self, participant):
        claims = {**participant.claims, "exp": int(time.time()) + 600, "jti": identifier("")}
        participant.refreshed = jwt.encode(claims, self.secret, "HS256")
        await participant.tell(refresh_token=participant.refreshed)

    async def _serve(self, participant, socket):
        async for frame in socket:
            if frame.type != aiohttp.WSMsgType.BINARY:
                continue
            request = rtc.SignalRequest.FromString(frame.data)
            kind = request.WhichOneof("message")
            participant.requests.append(request)
            handler = getattr(self, f"_on_{kind}", None)
            if handler:
                await handler(participant, getattr(request, kind))
        connected = participant.receiver and participant.receiver.connected
        if participant.here and participant.socket is socket and not connected:
            await participant.gone(Reason.SIGNAL_CLOSE)

    async def _on_add_track(self, participant, request):
        if any(track.request.cid == request.cid for track in participant.tracks):
            await participant.tell(request_response=rtc.RequestResponse(reason=rtc.RequestResponse.QUEUED, add_track=request))
            return
        codecs = request.simulcast_codecs or [rtc.SimulcastCodec(cid=request.cid, layers=request.layers)]
        info = models.TrackInfo(
            sid=identifier("TR_VC" if request.type == models.VIDEO else "TR_AM"), type=request.type, name=request.name, muted=request.muted,
            width=request.width, height=request.height, source=request.source, layers=request.layers, stream=request.stream or "camera",
            stereo=request.stereo, disable_dtx=request.disable_dtx,
            codecs=[models.SimulcastCodecInfo(mime_type=codec.codec, cid=codec.cid, layers=codec.layers) for codec in codecs])
        participant.tracks.append(Track(request, info, participant.active))
        if participant.receiver:
            self._match(participant)
        await participant.tell(track_published=rtc.TrackPublishedResponse(cid=request.cid, track=info))

    async def _on_offer(self, participant, offer):
        def connected():
            participant.state = models.ParticipantInfo.ACTIVE
            asyncio.ensure_future(participant.tell(update=rtc.ParticipantUpdate(participants=[participant.describe()])))

        if participant.receiver is None:
            participant.receiver = Receiver(connected)
        answer = await participant.receiver.negotiate(offer.sdp)
        participant.offer_id = offer.id
        self._match(participant)
        await participant.tell(answer=rtc.SessionDescription(type="answer", sdp=answer, id=offer.id))
        candidates = participant.receiver.candidates()
        for candidate in candidates:
            await participant.tell(trickle=rtc.TrickleRequest(candidateInit=candidate, target=rtc.PUBLISHER, final=candidate is candidates[-1]))

    def _match(self, participant):
        """A track's cid is the track id in the msid of its section. It may come after the offer, but not after media."""
        for section in participant.receiver.offers[-1].sections:
            track = next((t for t in participant.tracks if len(section.msid) > 1 and section.msid[1] == t.request.cid), None)
            if track:
                track.info.mid = section.mid

    async def _on_trickle(self, participant, trickle):
        if trickle.candidateInit and participant.receiver and trickle.target == rtc.PUBLISHER:
            await participant.receiver.candidate(json.loads(trickle.candidateInit)["candidate"])

    async def _on_update_metadata(self, participant, update):
        for name, value in update.attributes.items():
            participant.attributes[name] = value
            if not value:
                del participant.attributes[name]

    async def _on_ping_req(self, participant, ping):
        participant.pings += 1
        await participant.tell(pong_resp=rtc.Pong(last_ping_timestamp=ping.timestamp, timestamp=int(time.time() * 1000)))

    async def _on_mute(self, participant, mute):
        for track in participant.tracks:
            if track.info.sid == mute.sid:
                track.info.muted = mute.muted

    async def _on_leave(self, participant, leave):
        await participant.gone(leave.reason)
