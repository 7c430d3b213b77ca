"""The ingress records of the server: what was created, every state that was reported, and the events that follow from it."""
import dataclasses
import string

from google.protobuf.empty_pb2 import Empty
from livekit.protocol import ingress

from .messages import (CreateIngressResponse, DeleteWHIPResourceRequest, GetIngressInfoRequest, GetIngressInfoResponse,
                       ICERestartWHIPResourceRequest, ICERestartWHIPResourceResponse, ListActiveIngressRequest,
                       ListActiveIngressResponse, UpdateIngressStateRequest)
from .psrpc import Client, Error, Server, identifier

IngressState = ingress.IngressState
ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("01IOl")))
ENDED = (IngressState.ENDPOINT_ERROR, IngressState.ENDPOINT_INACTIVE, IngressState.ENDPOINT_COMPLETE)


@dataclasses.dataclass
class Record:
    info: ingress.IngressInfo
    history: list = dataclasses.field(default_factory=list)
    refused: list = dataclasses.field(default_factory=list)

    @property
    def state(self):
        return self.info.state

    @property
    def statuses(self):
        """The names of the states in order, without repetitions, over all sessions."""
        names = []
        for state in self.history:
            name = IngressState.Status.Name(state.status).removeprefix("ENDPOINT_")
            if not names or names[-1] != name:
                names.append(name)
        return names


class Directory:
    def __init__(self, bus):
        self.server = Server(bus)
        self.handler = Client(bus, "IngressHandler")
        self.internal = Client(bus, "IngressInternal")
        self.records = {}
        self.events = []
        self.before_update = None

    async def start(self):
        await self.handler.start()
        await self.internal.start()
        await self.server.serve("IOInfo", "GetIngressInfo", GetIngressInfoRequest, self._get)
        await self.server.serve("IOInfo", "CreateIngress", ingress.IngressInfo, self._create)
        await self.server.serve("IOInfo", "UpdateIngressState", UpdateIngressStateRequest, self._update)

    def create(self, room="room", identity="ingress", **fields):
        """Makes an RTMP ingress; `fields` are those of IngressInfo."""
        info = ingress.IngressInfo(
            ingress_id=identifier("IN_", 12, ALPHABET), stream_key=identifier("", 12, ALPHABET), input_type=ingress.RTMP_INPUT,
            room_name=room, participant_identity=identity, reusable=True, enable_transcoding=True, url="rtmp://127.0.0.1/live")
        info.state.SetInParent()
        info.MergeFrom(ingress.IngressInfo(**fields))
        record = self.records[info.ingress_id] = Record(info)
        return record

    async def delete(self, record):
        """What the API's DeleteIngress does: ends a session that is known to run, then forgets the ingress. Gives the answer, if one was due."""
        answer = None
        if record.state.status not in ENDED:
            answer = await self.handler.request("DeleteIngress", ingress.DeleteIngressRequest(ingress_id=record.info.ingress_id), IngressState,
                                                topic=record.info.ingress_id)
        self.records.pop(record.info.ingress_id, None)
        return answer

    async def update(self, record, **fields):
        """What the API's UpdateIngress does."""
        answer = None
        record.info.MergeFrom(ingress.IngressInfo(**fields))
        if record.state.status not in ENDED:
            answer = await self.handler.request("UpdateIngress", ingress.UpdateIngressRequest(ingress_id=record.info.ingress_id), IngressState,
                                                topic=record.info.ingress_id)
        return answer

    async def delete_whip(self, resource, key):
        """Another ingress service passes a client's DELETE on."""
        return await self.handler.request("DeleteWHIPResource", DeleteWHIPResourceRequest(resource_id=resource, stream_key=key), Empty, topic=resource)

    async def restart_whip(self, resource, key, **fields):
        """Another ingress service passes a client's PATCH on."""
        request = ICERestartWHIPResourceRequest(resource_id=resource, stream_key=key, **fields)
        return await self.handler.request("ICERestartWHIPResource", request, ICERestartWHIPResourceResponse, topic=resource)

    async def active(self):
        """The answers of all ingress services to ListActiveIngress."""
        return await self.internal.gather("ListActiveIngress", ListActiveIngressRequest(), ListActiveIngressResponse)

    async def _get(self, request):
        if not request.ingress_id and not request.stream_key:
            raise Error("unknown", "request needs to specify either IngressId or StreamKey")
        for record in self.records.values():
            if request.ingress_id == record.info.ingress_id or (request.stream_key and request.stream_key == record.info.stream_key):
                return GetIngressInfoResponse(info=record.info)
        raise Error("not_found", "ingress does not exist")

    async def _create(self, info):
        self.records[info.ingress_id] = Record(info, [info.state])
        return CreateIngressResponse(info=info)

    async def _update(self, request):
        if self.before_update:
            await self.before_update(request)
        record, new = self.records.get(request.ingress_id), request.state
        if record is None:
            raise Error("not_found", "ingress does not exist")
        old = record.state
        if new.started_at < old.started_at:
            record.refused.append(new)
            raise Error("failed_precondition", "trying to ovewrite an ingress with an older version")
        if new.started_at == old.started_at and new.updated_at < old.updated_at:
            record.refused.append(new)
            return Empty()
        changed = new.status != old.status
        record.info.state.CopyFrom(new)
        record.history.append(new)
        if changed and new.status == IngressState.ENDPOINT_PUBLISHING:
            self.events.append(("ingress_started", request.ingress_id))
        elif changed and new.status in ENDED:
            self.events.append(("ingress_ended", request.ingress_id))
        return Empty()
