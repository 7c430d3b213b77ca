// Headers in front of what was written already, and payloads freed of theirs, within the memory they stand in.

extension OutputRawSpan {
    /// Moves the last `count` bytes, at most 64, to the front and the others behind them: for headers that are known
    /// only after the payload.
    @_lifetime(self: copy self)
    public mutating func moveToFront(last count: Int) {
        precondition((0...64).contains(count) && count <= byteCount, "a header is short and was written before")
        unsafe withUnsafeMutableBytes { buffer, used in
            guard let base = buffer.baseAddress, count > 0 else { return }
            let rest = used - count
            unsafe withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { header in
                unsafe header.copyMemory(
                    from: UnsafeRawBufferPointer(start: base.advanced(by: rest), count: count))
                unsafe base.advanced(by: count).copyMemory(from: base, byteCount: rest)
                unsafe base.copyMemory(from: UnsafeRawPointer(header.baseAddress ?? base), byteCount: count)
            }
        }
    }
}

extension MutableRawSpan {
    /// Moves the bytes of `range` to the front, over what is there.
    @_lifetime(self: copy self)
    public mutating func moveToFront(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "a range outside of the memory")
        unsafe withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress, !range.isEmpty else { return }
            unsafe base.copyMemory(from: base.advanced(by: range.lowerBound), byteCount: range.count)
        }
    }
}
