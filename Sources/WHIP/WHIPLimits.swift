import SDP

/// Caps of the HTTP resources.
package enum WHIPLimits {
    /// Body of a POST or of a PATCH with a fragment, in bytes. An adapter may stop reading one byte past it.
    package static let offerBytes = SDPLimits.descriptionBytes
    /// Body of a PATCH that names a layer, in bytes.
    package static let layerRequestBytes = 1_024
    /// A stream key, in bytes after decoding.
    package static let keyBytes = 256
    /// First segment of a publishing path, in bytes.
    package static let appBytes = 128
    /// `Host`, in bytes; a name has 253 at most.
    package static let authorityBytes = 262
    package static let requestedHeadersBytes = 1_024
    /// Random octets of a resource id: 144 bits, 24 characters. Whoever knows the id owns the resource.
    package static let resourceIDBytes = 18
    /// What LiveKit calls a WHIP session: this and letters and digits, of all together so many.
    package static let sessionIDPrefix = "WH_"
    package static let sessionIDBytes = 4...64
    /// Random octets of an entity tag.
    package static let entityTagBytes = 8
    /// Ended resources that are remembered, so that ending them once more is no mistake.
    package static let endedResources = 1_024
    /// PATCH requests of one resource that wait for the one before them.
    package static let waitingPatches = 8
    /// Client addresses whose rate is known; beyond that the others share one.
    package static let clients = 4_096
    /// Text of another server's refusal that is passed on, in bytes.
    package static let upstreamTextBytes = 200
    /// User names and passwords of ICE (RFC 8839 section 5.4), in characters.
    package static let iceUfrag = 4...256
    package static let icePassword = 22...256
}
