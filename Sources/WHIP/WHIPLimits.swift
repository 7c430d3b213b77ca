import SDP

/// Caps of the HTTP resources.
package enum WHIPLimits {
    /// Body of a POST, in bytes. An adapter may stop reading one byte past it.
    package static let offerBytes = SDPLimits.descriptionBytes
    /// Body of a PATCH that names a layer, in bytes.
    package static let layerRequestBytes = 1_024
    /// A stream key in a path, in bytes after decoding.
    package static let keyBytes = 256
    /// Random octets of a resource id: 144 bits, 24 characters. Whoever knows the id owns the resource.
    package static let resourceIDBytes = 18
    /// Random octets of an entity tag.
    package static let entityTagBytes = 8
}
