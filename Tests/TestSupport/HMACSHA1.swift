/// SHA-1 (FIPS 180-4), slow and plain, so that protocol tests need no crypto library.
package func sha1(_ message: [UInt8]) -> [UInt8] {
    var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    let bits = UInt64(message.count) * 8
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
        padded.append(UInt8(truncatingIfNeeded: bits >> shift))
    }
    for start in stride(from: 0, to: padded.count, by: 64) { compress(Array(padded[start..<start + 64]), into: &state) }
    return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
}

/// HMAC (RFC 2104) with SHA-1.
package func hmacSHA1(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
    let short = key.count > 64 ? sha1(key) : key
    let block = short + Array(repeating: 0, count: 64 - short.count)
    return sha1(block.map { $0 ^ 0x5C } + sha1(block.map { $0 ^ 0x36 } + message))
}

private func compress(_ block: [UInt8], into state: inout [UInt32]) {
    // Plain loops: debug builds run this thousands of times.
    var words = [UInt32](repeating: 0, count: 80)
    var index = 0
    while index < 80 {
        if index < 16 {
            let offset = index * 4
            words[index] =
                UInt32(block[offset]) << 24 | UInt32(block[offset + 1]) << 16 | UInt32(block[offset + 2]) << 8
                | UInt32(block[offset + 3])
        } else {
            let mixed = words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]
            words[index] = mixed << 1 | mixed >> 31
        }
        index += 1
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    index = 0
    while index < 80 {
        let mixed: UInt32
        switch index {
        case ..<20: mixed = (b & c | ~b & d) &+ 0x5A82_7999
        case ..<40: mixed = (b ^ c ^ d) &+ 0x6ED9_EBA1
        case ..<60: mixed = (b & c | b & d | c & d) &+ 0x8F1B_BCDC
        default: mixed = (b ^ c ^ d) &+ 0xCA62_C1D6
        }
        let next = (a << 5 | a >> 27) &+ mixed &+ e &+ words[index]
        e = d
        d = c
        c = b << 30 | b >> 2
        b = a
        a = next
        index += 1
    }
    for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
}
