import Bytes
import Testing

@Suite struct AppendTests {
    @Test("an array grows by a copy of the bytes, and by nothing for none")
    func array() {
        var bytes: [UInt8] = [1]
        let more: [UInt8] = [2, 3]
        bytes.append(copying: more.rawSpan)
        bytes.append(copying: more.rawSpan.extracting(0..<0))
        #expect(bytes == [1, 2, 3])
    }

    @Test("single bytes are appended to lent memory in order")
    func output() {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2, alignment: 1)
        defer { memory.deallocate() }
        var output = OutputRawSpan(buffer: memory, initializedCount: 0)
        output.append(byte: 7)
        output.append(byte: 8)
        let written = output.bytes.copied()
        _ = output.finalize(for: memory)
        #expect(written == [7, 8])
    }
}
