extension Array where Element == UInt8 {
    /// Appends a copy of the bytes.
    @inlinable
    public mutating func append(copying bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { source in unsafe append(contentsOf: source) }
    }
}
