"""The messages of the RPC over Redis. PyPI's livekit-protocol has those of package livekit but neither psrpc's own (`internal`) nor those of
package `rpc`; the few that are used here are declared from tables of field numbers. Maps are left out: unknown fields are kept as they are."""
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from livekit.protocol import ingress

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {"string": Field.TYPE_STRING, "bytes": Field.TYPE_BYTES, "bool": Field.TYPE_BOOL, "int64": Field.TYPE_INT64, "float": Field.TYPE_FLOAT}


def declare(package, messages, imports=()):
    """The message classes of a table {message: "number type name, …"}; `*` before a type says repeated."""
    file = descriptor_pb2.FileDescriptorProto(name=f"livekit_double/{package}.proto", package=package, syntax="proto3", dependency=imports)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in filter(None, fields.split(", ")):
            number, kind, label = field.split()
            repeated = kind.startswith("*")
            kind = kind.lstrip("*")
            entry = message.field.add(name=label, number=int(number), label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL)
            if kind in SCALARS:
                entry.type = SCALARS[kind]
            else:
                entry.type, entry.type_name = Field.TYPE_MESSAGE, kind
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages]


Request, Response, ClaimRequest, ClaimResponse = declare("internal", {
    "Request": "1 string request_id, 2 string client_id, 3 int64 sent_at, 4 int64 expiry, 5 bool multi, 8 bytes raw_request",
    "Response": "1 string request_id, 2 string server_id, 3 int64 sent_at, 5 string error, 6 string code, 7 bytes raw_response",
    "ClaimRequest": "1 string request_id, 2 string server_id, 3 float affinity",
    "ClaimResponse": "1 string request_id, 2 string server_id",
})

(GetIngressInfoRequest, GetIngressInfoResponse, CreateIngressResponse, UpdateIngressStateRequest, StartIngressRequest,
 ListActiveIngressRequest, IngressSession, ListActiveIngressResponse, DeleteWHIPResourceRequest, ICERestartWHIPResourceRequest,
 ICERestartWHIPResourceResponse, WHIPRTCConnectionNotifyRequest) = declare("rpc", {
    "GetIngressInfoRequest": "1 string ingress_id, 2 string stream_key",
    "GetIngressInfoResponse": "1 .livekit.IngressInfo info, 2 string token, 3 string ws_url, 6 string project_id",
    "CreateIngressResponse": "1 .livekit.IngressInfo info",
    "UpdateIngressStateRequest": "1 string ingress_id, 2 .livekit.IngressState state",
    "StartIngressRequest": "1 .livekit.IngressInfo info, 2 string token, 3 string ws_url",
    "ListActiveIngressRequest": "",
    "IngressSession": "1 string ingress_id, 2 string resource_id",
    "ListActiveIngressResponse": "1 *string ingress_ids, 2 *.rpc.IngressSession ingress_sessions",
    "DeleteWHIPResourceRequest": "1 string resource_id, 2 string stream_key",
    "ICERestartWHIPResourceRequest": "1 string resource_id, 2 string stream_key, 3 string user_fragment, 4 string password, 5 *string candidates, "
                                     "6 string raw_trickle_ice_sdpfrag, 7 string if_match",
    "ICERestartWHIPResourceResponse": "1 string trickle_ice_sdpfrag, 2 string etag",
    "WHIPRTCConnectionNotifyRequest": "1 string participant_id, 2 bool closed, 3 .livekit.InputVideoState video, 4 .livekit.InputAudioState audio",
}, imports=[ingress.DESCRIPTOR.name])
