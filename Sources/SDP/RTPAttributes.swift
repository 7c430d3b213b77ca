/// `a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]` (RFC 8866 section 6.6).
package struct RTPMap: Equatable, Sendable {
    package var payloadType: UInt8
    /// As written; compare with `matches`, names know no case.
    package var name: String
    /// Hz.
    package var clockRate: UInt32
    package var channels: UInt8?

    package init(payloadType: UInt8, name: String, clockRate: UInt32, channels: UInt8? = nil) {
        self.payloadType = payloadType
        self.name = name
        self.clockRate = clockRate
        self.channels = channels
    }

    /// Whether this is the encoding `name`, in any case, at `clockRate` Hz.
    package func matches(_ name: String, clockRate: UInt32) -> Bool {
        self.clockRate == clockRate && self.name.equalsIgnoringASCIICase(name)
    }
}

/// `a=fmtp:<payload type> <name>=<value>;…` (RFC 8866 section 6.15), in the order of the line.
package struct FormatParameters: Equatable, Sendable {
    package struct Parameter: Equatable, Sendable {
        package var name: String
        /// Nil for a part without "=", such as "0-15" of telephone-event or "111/111" of RED.
        package var value: String?

        package init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    package var payloadType: UInt8
    package var parameters: [Parameter]

    package init(payloadType: UInt8, parameters: [Parameter] = []) {
        self.payloadType = payloadType
        self.parameters = parameters
    }

    package init(payloadType: UInt8, _ pairs: KeyValuePairs<String, String>) {
        self.init(payloadType: payloadType, parameters: pairs.map { Parameter(name: $0.key, value: $0.value) })
    }

    /// The value of `name`, in any case; nil when it is absent or has none.
    package subscript(_ name: String) -> String? {
        parameters.first { $0.name.equalsIgnoringASCIICase(name) }?.value
    }
}

/// `a=rtcp-fb` (RFC 4585 section 4.2).
package struct RTCPFeedback: Equatable, Sendable {
    /// Nil is "*": every payload type of the section.
    package var payloadType: UInt8?
    /// "nack", "ccm", "transport-cc", "goog-remb", …
    package var type: String
    /// "pli", "fir", …
    package var parameter: String?

    package init(payloadType: UInt8?, type: String, parameter: String? = nil) {
        self.payloadType = payloadType
        self.type = type
        self.parameter = parameter
    }
}

/// `a=extmap:<id>[/<direction>] <uri> [<parameters>]` (RFC 8285 section 8).
package struct ExtensionMapping: Equatable, Sendable {
    /// 1…255, or 4096…4351 as a placeholder for an answerer to renumber.
    package var id: UInt16
    package var direction: Direction?
    package var uri: String
    package var parameters: String?

    package init(id: UInt16, direction: Direction? = nil, uri: String, parameters: String? = nil) {
        self.id = id
        self.direction = direction
        self.uri = uri
        self.parameters = parameters
    }
}

/// `a=msid:<stream> [<track>]` (RFC 8830).
package struct MediaStreamID: Equatable, Sendable {
    /// "-" for no stream.
    package var stream: String
    package var track: String?

    package init(stream: String, track: String?) {
        self.stream = stream
        self.track = track
    }
}

/// `a=ssrc:<ssrc> <name>[:<value>]` (RFC 5576 section 4.1).
package struct SSRCAttribute: Equatable, Sendable {
    package var ssrc: UInt32
    package var attribute: SDPAttribute

    package init(ssrc: UInt32, name: String, value: String?) {
        self.ssrc = ssrc
        self.attribute = SDPAttribute(name: name, value: value)
    }
}

/// `a=ssrc-group:<semantics> <ssrc>…` (RFC 5576 section 4.2); FID pairs a stream with its retransmissions.
package struct SSRCGroup: Equatable, Sendable {
    package var semantics: String
    package var ssrcs: [UInt32]

    package init(semantics: String, ssrcs: [UInt32]) {
        self.semantics = semantics
        self.ssrcs = ssrcs
    }
}

/// Which way a rid or a simulcast list goes, seen by whoever wrote it.
package enum StreamDirection: String, Equatable, Sendable {
    case send, recv
}

/// `a=rid:<id> send|recv [<restrictions>]` (RFC 8851).
package struct RestrictionID: Equatable, Sendable {
    package var id: String
    package var direction: StreamDirection
    /// "pt=96;max-width=1280", as text.
    package var restrictions: String?

    package init(id: String, direction: StreamDirection, restrictions: String? = nil) {
        self.id = id
        self.direction = direction
        self.restrictions = restrictions
    }
}

/// `a=simulcast` (RFC 8853 section 5.1): for each direction the streams, each with its alternatives.
package struct Simulcast: Equatable, Sendable {
    package struct Alternative: Equatable, Sendable {
        package var rid: String
        /// "~" before the rid: described, and not sent at first.
        package var isPaused: Bool

        package init(rid: String, isPaused: Bool = false) {
            self.rid = rid
            self.isPaused = isPaused
        }
    }

    package var send: [[Alternative]]
    package var receive: [[Alternative]]

    package init(send: [[Alternative]] = [], receive: [[Alternative]] = []) {
        self.send = send
        self.receive = receive
    }
}
