package import Bytes

/// Reads the child's side: what the main process says.
///
/// Bytes come in any pieces. A frame's payload goes straight into a slab of its own, with the zeroes behind it that
/// decoders want. After an error there is no way to find the next message: the connection is over.
package struct RelayCommandReader: ~Copyable {
    private let limits: RelayLimits
    private var framing: RelayFraming

    /// `pool` serves the payloads of frames.
    package init(limits: RelayLimits = RelayLimits(), pool: SlabPool? = nil) {
        self.limits = limits
        framing = RelayFraming(limits: limits, pool: pool, readsCommands: true)
    }

    /// The next whole message of `bytes` from `offset` on; nil when the bytes are used up.
    package mutating func next(_ bytes: RawSpan, from offset: inout Int) throws(RelayError) -> RelayCommand? {
        guard let type = try framing.next(bytes, from: &offset) else { return nil }
        let tail = framing.takeTail()
        do throws(RelayError) {
            return try RelayCommand(type, fixed: framing.fixed, tail: tail, limits)
        } catch {
            throw framing.fail(error)
        }
    }
}

/// Reads the main process's side: what a child says. Until the first hello nothing else is accepted, and nothing is
/// kept but its 32 bytes, so a stranger costs no memory.
package struct RelayReportReader: ~Copyable {
    private var framing: RelayFraming

    package init(limits: RelayLimits = RelayLimits()) {
        framing = RelayFraming(limits: limits, pool: nil, readsCommands: false)
    }

    /// The next whole message of `bytes` from `offset` on; nil when the bytes are used up.
    package mutating func next(_ bytes: RawSpan, from offset: inout Int) throws(RelayError) -> RelayReport? {
        guard let type = try framing.next(bytes, from: &offset) else { return nil }
        let tail = framing.takeTail()
        do throws(RelayError) {
            return try RelayReport(type, fixed: framing.fixed, tail: tail)
        } catch {
            throw framing.fail(error)
        }
    }
}

/// Cuts the byte stream into messages.
private struct RelayFraming: ~Copyable {
    private let limits: RelayLimits
    private let pool: SlabPool?
    private let readsCommands: Bool
    private var awaitsHello: Bool
    /// Header and fixed fields of the message that is being read, or was read last.
    private var head: [UInt8] = []
    /// `head` belongs to the message that was given out last.
    private var isHeadUsed = false
    private var type: RelayMessageType?
    /// Bytes of the tail that are missing.
    private var tailBytes = 0
    private var tail: SlabWriter?
    private var failure: RelayError?

    init(limits: RelayLimits, pool: SlabPool?, readsCommands: Bool) {
        self.limits = limits
        self.pool = pool
        self.readsCommands = readsCommands
        awaitsHello = !readsCommands
        head.reserveCapacity(RelayWire.headerBytes + RelayWire.longestFixedPart)
    }

    /// The type of the next whole message. Its parts are `fixed` and `takeTail()`.
    mutating func next(_ bytes: RawSpan, from offset: inout Int) throws(RelayError) -> RelayMessageType? {
        if let failure { throw failure }
        if isHeadUsed {
            head.removeAll(keepingCapacity: true)
            isHeadUsed = false
        }
        if type == nil {
            guard fillHead(to: RelayWire.headerBytes, bytes, from: &offset) else { return nil }
            do throws(RelayError) {
                try begin()
            } catch {
                throw fail(error)
            }
        }
        guard let type, fillHead(to: RelayWire.headerBytes + type.fixedBytes, bytes, from: &offset) else { return nil }
        let count = min(tailBytes, bytes.byteCount - offset)
        if count > 0 { appendToTail(bytes.extracting(offset..<offset + count), of: type) }
        offset += count
        tailBytes -= count
        guard tailBytes == 0 else { return nil }
        self.type = nil
        isHeadUsed = true
        return type
    }

    /// The fixed fields of the message that `next` gave last; valid until its next call.
    var fixed: RawSpan {
        @_lifetime(borrow self)
        get { head.rawSpan.extracting(RelayWire.headerBytes..<head.count) }
    }

    /// The tail of the message that `next` gave last, once.
    mutating func takeTail() -> SlabSlice {
        if let writer = tail.take() { return writer.seal() }
        return SlabSlice(copying: [])
    }

    /// Remembers that the connection is over.
    mutating func fail(_ error: RelayError) -> RelayError {
        failure = error
        return error
    }

    /// True when `head` has `count` bytes.
    private mutating func fillHead(to count: Int, _ bytes: RawSpan, from offset: inout Int) -> Bool {
        let taken = min(count - head.count, bytes.byteCount - offset)
        if taken > 0 {
            head.append(copying: bytes.extracting(offset..<offset + taken))
            offset += taken
        }
        return head.count == count
    }

    /// Checks the header before anything is reserved for its message.
    private mutating func begin() throws(RelayError) {
        let version = head[0]
        let length = Int(head.rawSpan.bigEndian(at: 2, as: UInt32.self))
        guard version == RelayWire.version else { throw .unsupportedVersion(version) }
        guard let type = RelayMessageType(rawValue: head[1]) else { throw .unknownType(head[1]) }
        guard type.isCommand == readsCommands else { throw .unexpectedMessage(type) }
        if awaitsHello {
            guard type == .hello else { throw .helloExpected }
            awaitsHello = false
        } else if type == .hello {
            throw .unexpectedMessage(type)
        }
        guard length >= type.fixedBytes else { throw .truncated(type) }
        guard length - type.fixedBytes <= type.tailLimit(limits) else {
            throw .overLimit(type, bytes: length - type.fixedBytes)
        }
        tailBytes = length - type.fixedBytes
        self.type = type
    }

    private mutating func appendToTail(_ bytes: RawSpan, of type: RelayMessageType) {
        if tail == nil {
            tail = SlabWriter(
                reservingCapacity: min(tailBytes, RelayLimits.reservedBytes), pool: type == .frame ? pool : nil)
        }
        tail?.append(bytes)
    }
}
