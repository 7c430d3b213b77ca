/// A trickled candidate as JSON: the dictionary RTCIceCandidateInit of the WebRTC API.
package struct CandidateInit: Hashable, Sendable {
    /// "candidate:…"; empty for the end of candidates.
    package var candidate: String
    package var mid: String?
    /// Position among the `m=` lines.
    package var sectionIndex: UInt16?
    package var fragment: String?

    package init(candidate: String, mid: String? = nil, sectionIndex: UInt16? = nil, fragment: String? = nil) {
        self.candidate = candidate
        self.mid = mid
        self.sectionIndex = sectionIndex
        self.fragment = fragment
    }

    /// Members of other names are passed over; those that are known have to be of their types, or null.
    package init(parsing text: String) throws(JSONError) {
        let members = try JSONObjectReader.read(text)
        candidate = try Self.string(members["candidate"]) ?? ""
        mid = try Self.string(members["sdpMid"])
        fragment = try Self.string(members["usernameFragment"])
        switch members["sdpMLineIndex"] {
        case nil, .null: sectionIndex = nil
        case .number(let digits):
            guard let index = UInt16(digits) else { throw .malformed }
            sectionIndex = index
        default: throw .malformed
        }
    }

    private static func string(_ value: JSONObjectReader.Value?) throws(JSONError) -> String? {
        switch value {
        case nil, .null: nil
        case .string(let text): text
        default: throw .malformed
        }
    }

    /// The JSON text.
    package var text: String {
        JSONWriter.object { object in
            object.member("candidate", candidate)
            if let mid { object.member("sdpMid", mid) } else { object.memberNull("sdpMid") }
            if let sectionIndex {
                object.member("sdpMLineIndex", Int64(sectionIndex))
            } else {
                object.memberNull("sdpMLineIndex")
            }
            if let fragment {
                object.member("usernameFragment", fragment)
            } else {
                object.memberNull("usernameFragment")
            }
        }
    }
}
