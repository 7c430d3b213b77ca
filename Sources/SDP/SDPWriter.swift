import Bytes

/// Writes lines that end in CR LF.
struct SDPWriter {
    private var writer = ByteWriter(reservingCapacity: 4_096)

    var bytes: [UInt8] { writer.bytes }

    /// Bytes that would end a line early are left out, so no value can add lines of its own.
    mutating func line(_ type: Unicode.Scalar, _ value: String) {
        writer.write(UInt8(ascii: type))
        writer.write(UInt8(ascii: "="))
        if value.utf8.contains(where: \.breaksLine) {
            writer.write(value.utf8.filter { !$0.breaksLine })
        } else {
            writer.write(value)
        }
        writer.write(UInt8(ascii: "\r"))
        writer.write(UInt8(ascii: "\n"))
    }

    mutating func attribute(_ name: String) { line("a", name) }

    /// Nothing when there is no value.
    mutating func attribute(_ name: String, _ value: String?) {
        if let value { line("a", name + ":" + value) }
    }

    mutating func attribute(_ name: String, if flag: Bool) {
        if flag { line("a", name) }
    }

    mutating func attributes(_ name: String, _ values: some Sequence<String>) {
        for value in values { line("a", name + ":" + value) }
    }

    mutating func others(_ attributes: [SDPAttribute]) {
        for attribute in attributes { line("a", attribute.text) }
    }
}

extension UInt8 {
    fileprivate var breaksLine: Bool { self == UInt8(ascii: "\r") || self == UInt8(ascii: "\n") || self == 0 }
}

extension SDPAttribute {
    /// `name` or `name:value`.
    var text: String { value.map { name + ":" + $0 } ?? name }
}
