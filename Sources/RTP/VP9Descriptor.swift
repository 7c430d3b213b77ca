import Bytes
package import Media

/// The payload descriptor in front of each packet of a VP9 frame (RFC 9628 section 4.2).
package struct VP9Descriptor: Hashable, Sendable {
    /// P: the picture refers to earlier ones.
    package var isPredicted = false
    /// F: references stand in the packets instead of in a scalability structure.
    package var isFlexible = false
    /// B and E: the packet begins and ends the frame of a layer.
    package var startsFrame = false
    package var endsFrame = false
    /// 7 or 15 bits wide.
    package var pictureID: UInt16?
    /// The bits that the picture id has.
    package private(set) var pictureIDMask: UInt16 = 0x7FFF
    package var temporalLayer: UInt8 = 0
    /// 0 is the base layer.
    package var spatialLayer: UInt8 = 0
    /// D: the frame is predicted from the spatial layer below.
    package var dependsOnLowerLayer = false
    /// The largest size of the scalability structure, where there is one with sizes.
    package private(set) var size: VideoSize?
    /// As the scalability structure tells; nil without one.
    package private(set) var spatialLayers: Int?
    /// Bytes of the descriptor.
    package private(set) var byteCount = 0

    package init() {}

    /// The packet begins a picture of which nothing refers to earlier ones.
    package var startsKeyPicture: Bool { startsFrame && !isPredicted && spatialLayer == 0 }

    package init(parsing payload: RawSpan) throws(RTPError) {
        var reader = ByteReader(payload)
        do throws(Truncated) {
            let first = try reader.readUInt8()
            isPredicted = first & 0x40 != 0
            isFlexible = first & 0x10 != 0
            startsFrame = first & 0x08 != 0
            endsFrame = first & 0x04 != 0
            if first & 0x80 != 0 { pictureID = try reader.readPictureID(mask: &pictureIDMask) }
            if first & 0x20 != 0 {
                let layers = try reader.readUInt8()
                temporalLayer = layers >> 5
                spatialLayer = layers >> 1 & 7
                dependsOnLowerLayer = layers & 1 != 0
                if !isFlexible { try reader.skip(1) }  // TL0PICIDX
            }
            if isFlexible, isPredicted {
                // Up to three reference differences, each but the last with its lowest bit set.
                var count = 1
                while try reader.readUInt8() & 1 != 0 {
                    count += 1
                    guard count <= 3 else { throw Truncated(offset: reader.offset) }
                }
            }
            if first & 0x02 != 0 { try readStructure(&reader) }
        } catch { throw .truncated(offset: error.offset) }
        byteCount = reader.offset
    }

    /// Section 4.2.1.
    private mutating func readStructure(_ reader: inout ByteReader) throws(Truncated) {
        let first = try reader.readUInt8()
        spatialLayers = Int(first >> 5) + 1
        if first & 0x10 != 0 {
            for _ in 0...first >> 5 {
                let width = Int(try reader.readUInt16())
                let height = Int(try reader.readUInt16())
                if width * height > (size.map { $0.width * $0.height } ?? 0) {
                    size = VideoSize(width: width, height: height)
                }
            }
        }
        if first & 0x08 != 0 {
            for _ in 0..<(try reader.readUInt8()) {
                let picture = try reader.readUInt8()
                try reader.skip(Int(picture >> 2 & 3))
            }
        }
    }
}
