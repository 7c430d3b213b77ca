package import SDP

/// The simulcast layers by their rids: quarter, half and full size.
package enum WHEPLayer: String, Equatable, Sendable, CaseIterable {
    case q, h, f
}

/// A viewer that asks to be let in.
package struct WHEPOpening: Equatable, Sendable {
    /// Names the viewer from now on.
    package var resourceID: String
    /// A secret: never to be logged as it is.
    package var key: String
    package var bearerToken: String?
    /// Nil: the stream's own choice.
    package var layer: WHEPLayer?
    package var offer: SessionDescription

    package init(
        resourceID: String, key: String, bearerToken: String? = nil, layer: WHEPLayer?, offer: SessionDescription
    ) {
        self.resourceID = resourceID
        self.key = key
        self.bearerToken = bearerToken
        self.layer = layer
        self.offer = offer
    }
}

/// Makes and ends the peers behind the resources.
package protocol WHEPViewers: Sendable {
    /// Judges key and token, makes the peer, and gives its answer. The answer is complete: no candidates follow.
    func open(_ opening: WHEPOpening) async throws(WHIPError) -> SessionDescription

    /// Sends another layer from its next key frame on.
    func select(_ layer: WHEPLayer, resourceID: String) async throws(WHIPError)

    /// Ends the peer, which exists.
    func close(resourceID: String) async
}
