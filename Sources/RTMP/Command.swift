import Bytes
package import Media

/// A remote call (RTMP 1.0 section 7.1.1), in AMF0's terms whatever it was written in.
package struct RTMPCommand: Equatable {
    package var name: String
    /// 0 when no answer is expected.
    package var transactionID: Double
    package var object: AMF0Value
    package var arguments: [AMF0Value]

    /// Encoders leave trailing fields out, so all but the name have defaults.
    package init?(_ values: [AMF0Value]) {
        guard let name = values.first?.stringValue else { return nil }
        self.name = name
        transactionID = values.count > 1 ? values[1].numberValue ?? 0 : 0
        object = values.count > 2 ? values[2] : .null
        arguments = Array(values.dropFirst(3))
    }

    package init(_ name: String, transactionID: Double, object: AMF0Value = .null, arguments: [AMF0Value] = []) {
        self.name = name
        self.transactionID = transactionID
        self.object = object
        self.arguments = arguments
    }

    package var values: [AMF0Value] { [.string(name), .number(transactionID), object] + arguments }

    /// All values of a command or data message. In the AMF3 types (15, 17) a format selector comes first and single values may
    /// be in AMF3 (E-RTMP v2, "AMF3-encoded historical specification clarification").
    package static func readValues(
        _ payload: RawSpan, isAMF3: Bool, limits: AMF0Limits
    ) throws(RTMPError) -> [AMF0Value] {
        let hasSelector = isAMF3 && payload.byteCount > 0 && payload[0] == 0
        let body = payload.extracting((hasSelector ? 1 : 0)..<payload.byteCount)
        var reader = AMF0Reader(body, limits: limits)
        var values: [AMF0Value] = []
        var foreign = limits
        while !reader.isEmpty {
            guard isAMF3, reader.nextMarker == .avmPlusObject else {
                do { values.append(try reader.readValue()) } catch { throw .malformedCommand(error) }
                continue
            }
            var inner = AMF3Reader(body.extracting((reader.offset + 1)..<body.byteCount), limits: foreign)
            do { values.append(try inner.readValue()) } catch { throw .malformedAMF3(error) }
            foreign.nodes -= inner.nodesUsed
            do { try reader.skip(1 + inner.offset) } catch { throw .malformedCommand(error) }
        }
        return values
    }
}

/// What `connect` says about the client (RTMP 1.0 section 7.2.1.1, E-RTMP v2 "Enhancing NetConnection connect Command").
package struct RTMPConnectRequest: Equatable, Sendable {
    package var app = ""
    package var tcURL = ""
    /// The encoder's name as it gives it, for example "FMLE/3.0 (compatible; FMSc/1.0)".
    package var flashVersion = ""
    /// 0, or 3 when AMF3 is understood.
    package var objectEncoding = 0
    /// FourCCs of `fourCcList` and of both info maps, without duplicates.
    package var fourCCs: [String] = []
    /// E-RTMP capability bits: 1 reconnect, 2 multitrack, 4 ModEx, 8 nanosecond offsets.
    package var extendedCapabilities = 0
    /// The client speaks enhanced RTMP of either version.
    package var isEnhanced = false

    package init() {}

    init(_ object: AMF0Value) {
        app = object["app"]?.stringValue ?? ""
        tcURL = object["tcUrl"]?.stringValue ?? ""
        flashVersion = object["flashVer"]?.stringValue ?? ""
        objectEncoding = object["objectEncoding"]?.integerValue == 3 ? 3 : 0
        extendedCapabilities = (object["capsEx"]?.integerValue ?? 0) & 0xFF
        let list = object["fourCcList"]?.elements?.compactMap(\.stringValue) ?? []
        let maps = ["videoFourCcInfoMap", "audioFourCcInfoMap"].compactMap { object[$0]?.properties }
        isEnhanced = object["fourCcList"] != nil || object["capsEx"] != nil || !maps.isEmpty
        for code in list + maps.flatMap({ $0.map(\.key) }) where !fourCCs.contains(code) && fourCCs.count < 32 {
            fourCCs.append(code)
        }
    }

    /// OBS and other encoders on librtmp, which open a message with form 3 to say "same time".
    var usesLibrtmp: Bool { flashVersion == "FMLE/3.0 (compatible; FMSc/1.0)" }
}

/// What the server tells enhanced encoders that it takes.
package struct RTMPCapabilities: Sendable {
    package var videoFourCCs = ["avc1", "hvc1", "av01", "vp09", "vp08"]
    package var audioFourCCs = ["mp4a", "Opus", "fLaC", ".mp3", "ac-3", "ec-3"]
    /// Reconnect, multitrack, ModEx, nanosecond offsets.
    package var extended = 0x0F

    package init() {}

    /// The properties for the answer to `connect`. Each codec can be decoded (1) and forwarded (4).
    var properties: [AMF0Property] {
        func map(_ codes: [String]) -> AMF0Value { .object(codes.map { AMF0Property($0, .number(5)) }) }
        return [
            AMF0Property("capsEx", .number(Double(extended))),
            AMF0Property("videoFourCcInfoMap", map(videoFourCCs)),
            AMF0Property("audioFourCcInfoMap", map(audioFourCCs)),
            AMF0Property("fourCcList", .strictArray((videoFourCCs + audioFourCCs).map { .string($0) })),
        ]
    }
}
