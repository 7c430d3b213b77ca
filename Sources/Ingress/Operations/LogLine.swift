package import Logging

/// One line of the log, without a line end inside, whatever its parts hold.
package struct LogLine {
    package enum Format: Sendable {
        /// `{"level":"info","ts":1700000000.123,"logger":"ingress","msg":"…","key":"value"}`, as zap's production encoder.
        case json
        /// Time, level, logger and message between tabs, then the fields as JSON, as zap's console encoder.
        case text
    }

    private static let hex = Array("0123456789abcdef".utf8)
    /// A peer's text is cut here, so that a line stays a line.
    private static let stringBytes = 4_096

    private var bytes: [UInt8] = []

    private init() { bytes.reserveCapacity(256) }

    /// `fields` are written in the order of their names; `unixNanoseconds` is the time since 1970 in UTC.
    package static func encode(
        _ format: Format, level: Logger.Level, label: String, message: String, fields: Logger.Metadata,
        unixNanoseconds: Int64
    ) -> [UInt8] {
        var line = LogLine()
        switch format {
        case .json:
            line.append("{\"level\":\"\(level.zapName)\",\"ts\":\(seconds(unixNanoseconds)),\"logger\":")
            line.quote(label)
            line.append(",\"msg\":")
            line.quote(message)
            for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
                line.append(",")
                line.member(name, value)
            }
            line.append("}")
        case .text:
            line.append("\(UTCDate(unixNanoseconds: unixNanoseconds).iso8601)\t\(level.zapName.uppercased())\t")
            line.escape(label)
            line.append("\t")
            line.escape(message)
            if !fields.isEmpty {
                line.append("\t")
                line.object(fields)
            }
        }
        line.append("\n")
        return line.bytes
    }

    // MARK: JSON

    private mutating func append(_ text: String) { bytes += text.utf8 }

    private mutating func quote(_ text: String) {
        append("\"")
        for byte in text.utf8.prefix(Self.stringBytes) {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            default: control(byte)
            }
        }
        endOfText(text)
        append("\"")
    }

    /// For the text format: only what would break the line or the terminal.
    private mutating func escape(_ text: String) {
        for byte in text.utf8.prefix(Self.stringBytes) { control(byte) }
        endOfText(text)
    }

    private mutating func control(_ byte: UInt8) {
        switch byte {
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        case 0..<0x20, 0x7F:
            append("\\u00")
            bytes += [Self.hex[Int(byte >> 4)], Self.hex[Int(byte & 15)]]
        default: bytes.append(byte)
        }
    }

    /// A cut may have split a character, whose beginning goes, too.
    private mutating func endOfText(_ text: String) {
        guard text.utf8.count > Self.stringBytes else { return }
        while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
        if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
        append("…")
    }

    private mutating func member(_ name: String, _ value: Logger.MetadataValue) {
        quote(name)
        append(":")
        self.value(value)
    }

    private mutating func object(_ fields: Logger.Metadata) {
        append("{")
        for (index, (name, value)) in fields.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { append(",") }
            member(name, value)
        }
        append("}")
    }

    private mutating func value(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): quote(text)
        case .stringConvertible(let value):
            switch value {
            case let value as Bool: append(String(value))
            case let value as any BinaryInteger: append(String(value))
            case let value as Double where value.isFinite: append(String(value))
            default: quote(value.description)
            }
        case .dictionary(let fields): object(fields)
        case .array(let items):
            append("[")
            for (index, item) in items.enumerated() {
                if index > 0 { append(",") }
                self.value(item)
            }
            append("]")
        }
    }

    // MARK: Time

    /// Microseconds are enough for people, and a Double has room for them.
    private static func seconds(_ nanoseconds: Int64) -> String {
        let microseconds = max(0, nanoseconds) / 1_000
        return "\(microseconds / 1_000_000).\(String(microseconds % 1_000_000, digits: 6))"
    }
}
