/// Random bytes from the kernel, fit for keys, tokens and identifiers.
package enum Randomness {
    package static func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            Syscalls.fillRandom(UnsafeMutableRawBufferPointer(buffer))
            filled = count
        }
    }

    package static func integer<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        withUnsafeMutableBytes(of: &value) { Syscalls.fillRandom($0) }
        return value
    }
}
