package import LiveKitProtocol
package import SwiftProtobuf

/// What livekit-server knows about ingresses; this side calls it.
package enum IOInfo {
    package static let service = "IOInfo"

    package static let getIngressInfo = RPCMethod<Rpc_GetIngressInfoRequest, Rpc_GetIngressInfoResponse>(
        RPCMethodTraits(service, "GetIngressInfo"))
    package static let createIngress = RPCMethod<Livekit_IngressInfo, Rpc_CreateIngressResponse>(
        RPCMethodTraits(service, "CreateIngress"))
    package static let updateIngressState = RPCMethod<Rpc_UpdateIngressStateRequest, Google_Protobuf_Empty>(
        RPCMethodTraits(service, "UpdateIngressState"))
}

/// What livekit-server asks of all ingress services.
package enum IngressInternal {
    package static let service = "IngressInternal"

    package static let startIngress = RPCMethod<Rpc_StartIngressRequest, Livekit_IngressInfo>(
        RPCMethodTraits(service, "StartIngress", hasAffinity: true))
    /// The topic is the empty string.
    package static let listActiveIngress = RPCMethod<Rpc_ListActiveIngressRequest, Rpc_ListActiveIngressResponse>(
        RPCMethodTraits(service, "ListActiveIngress", isMulti: true))
}

/// What livekit-server asks of the service that has a session.
package enum IngressHandler {
    package static let service = "IngressHandler"

    /// The topic is the ingress's identifier.
    package static let updateIngress = RPCMethod<Livekit_UpdateIngressRequest, Livekit_IngressState>(
        RPCMethodTraits(service, "UpdateIngress"))
    /// The topic is the ingress's identifier.
    package static let deleteIngress = RPCMethod<Livekit_DeleteIngressRequest, Livekit_IngressState>(
        RPCMethodTraits(service, "DeleteIngress"))
    /// The topic is the resource's identifier.
    package static let deleteWHIPResource = RPCMethod<Rpc_DeleteWHIPResourceRequest, Google_Protobuf_Empty>(
        RPCMethodTraits(service, "DeleteWHIPResource"))
    /// The topic is the resource's identifier.
    package static let iceRestartWHIPResource = RPCMethod<
        Rpc_ICERestartWHIPResourceRequest, Rpc_ICERestartWHIPResourceResponse
    >(RPCMethodTraits(service, "ICERestartWHIPResource"))
    /// The topic is the participant's identifier.
    package static let whipRTCConnectionNotify = RPCMethod<Rpc_WHIPRTCConnectionNotifyRequest, Google_Protobuf_Empty>(
        RPCMethodTraits(service, "WHIPRTCConnectionNotify", isSingleServer: true))
}
