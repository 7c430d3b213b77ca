import Bytes

/// NAL units of packets into access units of an Annex B byte stream: what H.264 and HEVC have in common.
///
/// A key picture that comes without parameter sets gets the last ones in front of its first slice.
struct AccessUnitAssembly: ~Copyable {
    private let syntax: NALSyntax
    private var frame: FrameAssembly
    private var sets: ParameterSets
    /// A fragmented unit has begun and not ended.
    private(set) var isInFragment = false
    /// After a loss: packets are passed over until an access unit certainly begins.
    private var awaitsStart = false
    /// The packet at hand follows a loss, so that the head of its access unit may be missing.
    private var isUncertain = false

    // Of the unit under way.
    private var unitStart = 0
    private var role = NALUnitRole.other

    // Of the access unit under way.
    private var hasSlice = false
    /// Ranks of parameter sets that it brought itself.
    private var ownSets: UInt8 = 0
    private var mayLackHead = false

    /// The last key picture came with its parameter sets.
    private var sendsSets = false

    init(_ syntax: NALSyntax, parameterSets: [[UInt8]], maxFrameBytes: Int, pool: SlabPool?) {
        self.syntax = syntax
        frame = FrameAssembly(maxBytes: maxFrameBytes, pool: pool)
        sets = ParameterSets(syntax, parameterSets)
    }

    var hasLoss: Bool { frame.hasLoss }

    mutating func pollFrame() -> DepacketizedFrame? { frame.pollFrame() }

    /// Whether the packet's units are to be added; `beginsAccessUnit` is asked after a loss only.
    mutating func admit(
        _ packet: DepacketizerInput, isPadding: Bool, beginsAccessUnit: () -> Bool
    ) -> Bool {
        switch frame.follow(packet) {
        case .late: return false
        case .afterLoss:
            frame.drop()
            isInFragment = false
            awaitsStart = true
        case .contiguous: break
        }
        guard !isPadding else { return false }
        isUncertain = awaitsStart
        guard awaitsStart else { return true }
        guard beginsAccessUnit() else {
            // The marker ends what is lost, so that the next packet begins an access unit.
            if packet.marker { awaitsStart = false }
            return false
        }
        awaitsStart = false
        return true
    }

    /// Gives up the access unit after an error in a packet.
    mutating func fail(_ error: RTPError) -> RTPError {
        frame.drop()
        isInFragment = false
        awaitsStart = true
        return error
    }

    /// Adds a whole unit that belongs to the picture of `timestamp`.
    mutating func addUnit(_ unit: RawSpan, timestamp: UInt32) throws(RTPError) {
        guard !isInFragment, unit.byteCount >= syntax.headerCount else { throw .badPayload }
        enter(timestamp)
        let body = unit.extracting(droppingFirst: syntax.headerCount)
        try beginUnit(unit.extracting(first: syntax.headerCount), body: body)
        try frame.append(body)
        endUnit()
    }

    /// Adds a part of a unit. `header` is the unit's header, as the fragments tell it.
    mutating func addFragment(
        _ body: RawSpan, header: RawSpan, isStart: Bool, isEnd: Bool, timestamp: UInt32
    ) throws(RTPError) {
        // A start must not come inside a unit, nor the rest of a unit without its start, nor all of it in one fragment
        // (RFC 6184 section 5.8, RFC 7798 section 4.4.3).
        guard body.byteCount > 0, !(isStart && isEnd) else { throw .badPayload }
        enter(timestamp)
        guard isStart != isInFragment else { throw .badPayload }
        if isStart { try beginUnit(header, body: body) }
        try frame.append(body)
        isInFragment = !isEnd
        if isEnd { endUnit() }
    }

    /// Ends a packet, and with the marker its access unit.
    mutating func endPacket(marker: Bool) throws(RTPError) {
        guard marker else { return }
        if isInFragment { throw .badPayload }
        frame.finish()
    }

    /// Begins an access unit if the one under way has another time.
    private mutating func enter(_ timestamp: UInt32) {
        guard frame.timestamp != timestamp else { return }
        if isInFragment { frame.drop() } else { frame.finish() }
        isInFragment = false
        hasSlice = false
        ownSets = 0
        mayLackHead = isUncertain
        isUncertain = false
        frame.begin(timestamp: timestamp)
    }

    private mutating func beginUnit(_ header: RawSpan, body: RawSpan) throws(RTPError) {
        role = syntax.role(header: header[0], body: body)
        switch role {
        case .parameterSet(let rank): ownSets |= 1 << UInt8(rank)
        case .keySlice where !hasSlice:
            hasSlice = true
            try beginKeyPicture()
        // Encoders that begin groups without IDR pictures repeat the parameter sets there; for others an intra
        // picture is one like any other, for later pictures may refer past it.
        case .intraSlice where !hasSlice:
            hasSlice = true
            frame.isKey = ownSets & 0b110 == 0b110
        case .keySlice, .intraSlice, .slice: hasSlice = true
        case .other: break
        }
        try appendStartCode()
        unitStart = frame.byteCount
        try frame.append(header)
    }

    private mutating func beginKeyPicture() throws(RTPError) {
        let missing = syntax.neededSets & ~ownSets
        guard missing != 0 else {
            sendsSets = true
            frame.isKey = true
            return
        }
        // What is missing was probably sent and lost, and may be new.
        if mayLackHead, sendsSets { throw .badPayload }
        sendsSets = false
        for set in sets.units(fromRank: missing.trailingZeroBitCount) {
            try appendStartCode()
            try frame.append(set.rawSpan)
        }
        // Without its parameter sets nobody can decode it.
        frame.isKey = missing & ~sets.ranks == 0
    }

    private mutating func appendStartCode() throws(RTPError) {
        let code: [4 of UInt8] = [0, 0, 0, 1]
        try frame.append(code.span.raw)
    }

    private mutating func endUnit() {
        guard case .parameterSet(let rank) = role else { return }
        Self.keep(unitStart, rank, of: frame, in: &sets)
    }

    private static func keep(_ start: Int, _ rank: Int, of frame: borrowing FrameAssembly, in sets: inout ParameterSets)
    {
        sets.note(frame.content.extracting(droppingFirst: start), rank: rank)
    }
}
