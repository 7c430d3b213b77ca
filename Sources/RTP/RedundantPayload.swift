import Bytes

/// The blocks of a RED payload (RFC 2198 section 3), at most eight: the primary one stands last.
package struct RedundantPayload: Sendable {
    package struct Block: Hashable, Sendable {
        package var payloadType: UInt8
        /// How much older than the packet's timestamp, in its ticks; 0 of the primary block.
        package var timestampOffset: UInt32
        /// In the payload.
        package var range: Range<Int>
    }

    private var blocks: InlineArray<8, Block>
    package private(set) var count = 0

    package init(parsing payload: RawSpan) throws(RTPError) {
        blocks = InlineArray(repeating: Block(payloadType: 0, timestampOffset: 0, range: 0..<0))
        var offset = 0
        // Lengths first; where the blocks stand is known behind the last header.
        while true {
            guard offset < payload.byteCount else { throw .truncated(offset: offset) }
            guard count < blocks.count else { throw .overLimit }
            let first = payload[offset]
            if first & 0x80 == 0 {
                offset += 1
                blocks[count] = Block(payloadType: first, timestampOffset: 0, range: 0..<0)
                count += 1
                break
            }
            guard payload.byteCount - offset >= 4 else { throw .truncated(offset: offset) }
            let word = payload.uint24(at: offset + 1)
            blocks[count] = Block(
                payloadType: first & 0x7F, timestampOffset: word >> 10, range: 0..<Int(word & 0x3FF))
            count += 1
            offset += 4
        }
        for index in 0..<count - 1 {
            let length = blocks[index].range.upperBound
            guard length <= payload.byteCount - offset else { throw .truncated(offset: offset) }
            blocks[index].range = offset..<offset + length
            offset += length
        }
        blocks[count - 1].range = offset..<payload.byteCount
    }

    package var primary: Block { blocks[count - 1] }

    /// Traps outside of `0..<count`.
    package subscript(_ index: Int) -> Block {
        precondition(index >= 0 && index < count, "block index out of bounds")
        return blocks[index]
    }
}
