/// One `a=` line, split at its first colon.
struct AttributeLine {
    let name: String
    let value: ArraySlice<UInt8>?
    let line: Int

    init(_ line: SDPLine) throws(SDPError) {
        let (name, value) = line.value.cut(at: ":")
        guard !name.isEmpty, !name.contains(where: \.isBlank) else { throw .malformed(.attribute, line: line.number) }
        self.name = name.text
        self.value = value
        self.line = line.number
    }

    var words: WordReader { WordReader(value ?? []) }

    var raw: SDPAttribute { SDPAttribute(name: name, value: value?.text) }

    func malformed(_ field: SDPField) -> SDPError { .malformed(field, line: line) }

    /// The value as one word.
    func identifier(_ field: SDPField) throws(SDPError) -> String {
        var words = words
        guard let word = words.word(), words.isEmpty, word.count <= SDPLimits.identifierBytes else {
            throw malformed(field)
        }
        return word.text
    }

    /// From "candidate:" on, which is also the form of `RTCIceCandidate.candidate`.
    func candidate() throws(SDPError) -> String {
        guard let value = value?.trimmed, !value.isEmpty, value.count <= SDPLimits.candidateBytes else {
            throw malformed(.candidate)
        }
        return "candidate:" + value.text
    }
}
