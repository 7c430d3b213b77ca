import Bytes

/// The identification header of Opus (RFC 7845 section 5.1). Its integers are little-endian.
package struct OpusHead: Equatable, Sendable {
    /// Output channels, 1…255.
    package var channels: Int
    /// Samples at 48 kHz to drop from the decoder's output at the start.
    package var preSkip: UInt16
    /// Rate of the original input, samples a second; 0 when unknown. Decoding is at 48 kHz in any case.
    package var inputSampleRate: UInt32
    /// Gain for the decoder to apply, in 1/256 dB.
    package var outputGain: Int16
    /// Channel mapping family: 0 mono or stereo, 1 Vorbis order, 255 unspecified.
    package var mappingFamily: UInt8
    /// Coded streams and how many of these are stereo, and the decoded channel that each output channel plays (255 is
    /// silence); nil in family 0.
    package var mapping: Mapping?

    package struct Mapping: Equatable, Sendable {
        package var streams: Int
        package var coupledStreams: Int
        package var table: [UInt8]

        package init(streams: Int, coupledStreams: Int, table: [UInt8]) {
            self.streams = streams
            self.coupledStreams = coupledStreams
            self.table = table
        }
    }

    /// Family 0 with the usual delay of libopus.
    package init(channels: Int, preSkip: UInt16 = 312, inputSampleRate: UInt32 = 48_000) {
        precondition(channels == 1 || channels == 2, "mapping family 0 has one or two channels")
        self.channels = channels
        self.preSkip = preSkip
        self.inputSampleRate = inputSampleRate
        outputGain = 0
        mappingFamily = 0
    }

    package init(_ bytes: RawSpan) throws(MediaError) {
        var reader = HeaderReader(bytes)
        guard try reader.readBytes(8).elementsEqual(Self.signature.rawSpan) else { throw .malformed(.opusHead) }
        // The upper half of the version is the major one; 0 is the only one known.
        guard try reader.readUInt8() & 0xF0 == 0 else { throw .malformed(.opusHead) }
        channels = Int(try reader.readUInt8())
        preSkip = try reader.readUInt16LittleEndian()
        inputSampleRate = try reader.readUInt32LittleEndian()
        outputGain = Int16(bitPattern: try reader.readUInt16LittleEndian())
        mappingFamily = try reader.readUInt8()
        guard channels > 0, mappingFamily != 0 || channels <= 2 else { throw .malformed(.opusHead) }
        guard mappingFamily != 0 else { return }
        let streams = Int(try reader.readUInt8())
        let coupled = Int(try reader.readUInt8())
        let table = try reader.readBytes(channels).copied()
        guard streams > 0, coupled <= streams, streams + coupled <= 255,
            table.allSatisfy({ $0 == 255 || Int($0) < streams + coupled })
        else { throw .malformed(.opusHead) }
        mapping = Mapping(streams: streams, coupledStreams: coupled, table: table)
    }

    /// The header's bytes.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 32)
        writer.write(Self.signature)
        writer.write([1, UInt8(channels)])
        writer.write(preSkip.byteSwapped)
        writer.writeLittleEndian(inputSampleRate)
        writer.write(UInt16(bitPattern: outputGain).byteSwapped)
        writer.write(mappingFamily)
        if mappingFamily != 0, let mapping {
            writer.write([UInt8(mapping.streams), UInt8(mapping.coupledStreams)])
            writer.write(mapping.table)
        }
        return writer.bytes
    }

    private static let signature = Array("OpusHead".utf8)
}
