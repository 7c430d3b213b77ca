import Bytes
package import Media

/// What a publisher says about its stream in onMetaData (FLV 10.1, annex E.5). Hints only: the bitstreams decide.
package struct StreamMetadata: Equatable, Sendable {
    /// Pixels.
    package var width: Int?
    package var height: Int?
    /// Frames a second.
    package var frameRate: Double?
    /// Bits a second; the wire has kilobits.
    package var videoBitrate: Int?
    package var audioBitrate: Int?
    /// Samples a second.
    package var sampleRate: Int?
    package var channels: Int?
    /// Name and version of the publishing software; at most 128 characters, none of them control characters.
    package var encoder: String?

    package init() {}

    /// Takes what has the right type and a sane value out of an object's members.
    package init(_ object: AMF0Value) {
        width = Self.integer(object["width"], in: 1...MediaLimits.maxDimension)
        height = Self.integer(object["height"], in: 1...MediaLimits.maxDimension)
        frameRate = Self.number(object["framerate"] ?? object["fps"], upTo: 1000)
        videoBitrate = Self.bits(object["videodatarate"])
        audioBitrate = Self.bits(object["audiodatarate"])
        sampleRate = Self.integer(object["audiosamplerate"], in: 1...MediaLimits.maxSampleRate)
        channels = Self.integer(object["audiochannels"], in: 1...255)
        if channels == nil, let isStereo = object["stereo"]?.booleanValue { channels = isStereo ? 2 : 1 }
        encoder = object["encoder"]?.stringValue.flatMap(Self.cleaned)
    }

    /// The members for an onMetaData of one's own.
    package var value: AMF0Value {
        var members: [AMF0Property] = []
        func add(_ key: String, _ number: Double?) {
            if let number { members.append(AMF0Property(key, .number(number))) }
        }
        add("width", width.map(Double.init))
        add("height", height.map(Double.init))
        add("framerate", frameRate)
        add("videodatarate", videoBitrate.map { Double($0) / 1000 })
        add("audiodatarate", audioBitrate.map { Double($0) / 1000 })
        add("audiosamplerate", sampleRate.map(Double.init))
        add("audiochannels", channels.map(Double.init))
        if let channels { members.append(AMF0Property("stereo", .boolean(channels > 1))) }
        if let encoder { members.append(AMF0Property("encoder", .string(encoder))) }
        return .ecmaArray(members)
    }

    /// Reads a data message: "onMetaData", with "@setDataFrame" in front or not. Nil for other messages.
    package static func read(message: RawSpan) throws(FLVError) -> StreamMetadata? {
        guard message.byteCount <= FLVLimits.maxScriptDataBytes else { throw .scriptDataTooLong }
        var reader = AMF0Reader(message)
        do {
            guard reader.nextMarker == .string else { return nil }
            var name = try reader.readValue().stringValue
            if name == "@setDataFrame", !reader.isEmpty { name = try reader.readValue().stringValue }
            guard name == "onMetaData", !reader.isEmpty else { return nil }
            return StreamMetadata(try reader.readValue())
        } catch {
            throw .invalidScriptData(error)
        }
    }

    private static func number(_ value: AMF0Value?, upTo limit: Double) -> Double? {
        guard let number = value?.numberValue, number.isFinite, number > 0, number <= limit else { return nil }
        return number
    }

    private static func integer(_ value: AMF0Value?, in range: ClosedRange<Int>) -> Int? {
        guard let number = value?.integerValue, range.contains(number) else { return nil }
        return number
    }

    /// Up to 10 Gbit/s; zero means that the encoder does not know.
    private static func bits(_ kilobits: AMF0Value?) -> Int? {
        number(kilobits, upTo: 1e7).map { Int(($0 * 1000).rounded()) }
    }

    private static func cleaned(_ text: String) -> String? {
        let kept = text.unicodeScalars.lazy.filter { !($0.properties.generalCategory == .control) }.prefix(128)
        var result = String.UnicodeScalarView()
        result.append(contentsOf: kept)
        return result.isEmpty ? nil : String(result)
    }
}
