import Bytes
import Testing

@Suite struct ByteReaderTests {
    @Test("integers are read big-endian and advance the cursor")
    func bigEndian() throws {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        var reader = ByteReader(bytes.rawSpan)
        #expect(try reader.readUInt8() == 1)
        #expect(try reader.readUInt24() == 0x02_03_04)
        #expect(try reader.readUInt32() == 0x05_06_07_08)
        #expect(try reader.readUInt16() == 0x09_0A)
        let rest = reader.remaining
        #expect(rest == 0)
    }

    @Test("a short read throws where it began and leaves the cursor")
    func truncated() throws {
        let bytes: [UInt8] = [1, 2]
        var reader = ByteReader(bytes.rawSpan)
        #expect(throws: Truncated(offset: 0)) {
            var copy = ByteReader(bytes.rawSpan)
            _ = try copy.readUInt24()
        }
        #expect(try reader.readUInt16() == 0x0102)
    }
}
