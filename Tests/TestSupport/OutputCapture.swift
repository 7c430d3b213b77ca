import Bytes

/// Lends `capacity` bytes to a writer and gives back what it wrote, with its result.
package func captureOutput<Result, Failure: Error>(
    capacity: Int = 2_048, _ body: (inout OutputRawSpan) throws(Failure) -> Result
) throws(Failure) -> (bytes: [UInt8], result: Result) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    defer { memory.deallocate() }
    var output = OutputRawSpan(buffer: memory, initializedCount: 0)
    let result = try body(&output)
    let bytes = output.bytes.copied()
    _ = output.finalize(for: memory)
    return (bytes, result)
}
