import Bytes
import TestSupport
import Testing

@Suite struct SpanMoveTests {
    @Test("what was written last comes to the front and nothing is lost", arguments: [0, 1, 4, 36, 64])
    func header(count: Int) {
        let payload = (0..<1_200).map { UInt8(truncatingIfNeeded: $0) }
        let header = (0..<count).map { UInt8(truncatingIfNeeded: 0xF0 &- $0) }
        let (bytes, _) = captureOutput(capacity: 1_500) { output in
            output.append(copying: payload)
            output.append(copying: header)
            output.moveToFront(last: count)
        }
        #expect(bytes == header + payload)
    }

    @Test("a header alone stays as it is")
    func headerAlone() {
        let (bytes, _) = captureOutput(capacity: 8) { output in
            output.append(copying: [1, 2, 3])
            output.moveToFront(last: 3)
        }
        #expect(bytes == [1, 2, 3])
    }

    @Test("a payload moves over its header", arguments: [0..<0, 0..<3, 1..<10, 4..<10, 9..<10, 10..<10])
    func payload(range: Range<Int>) {
        let original = (0..<10).map { UInt8($0) }
        var bytes = original
        var elements = bytes.mutableSpan
        var span = elements.mutableBytes
        span.moveToFront(range)
        #expect(Array(bytes[..<range.count]) == Array(original[range]))
        #expect(bytes[range.count...] == original[range.count...])
    }
}
