import Glibc

/// A moment in UTC as texts write it: the log, and HTTP's fields.
package struct UTCDate {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var parts = tm()
    private let milliseconds: Int64

    /// Nanoseconds since 1970; what lies before counts as that.
    package init(unixNanoseconds: Int64) {
        let milliseconds = max(0, unixNanoseconds) / 1_000_000
        self.milliseconds = milliseconds % 1_000
        var seconds = time_t(milliseconds / 1_000)
        gmtime_r(&seconds, &parts)
    }

    /// IMF-fixdate (RFC 9110, section 5.6.7).
    package var http: String {
        let (day, month) = (Self.weekdays[Int(parts.tm_wday)], Self.months[Int(parts.tm_mon)])
        return "\(day), \(String(parts.tm_mday, digits: 2)) \(month) \(year) \(clock) GMT"
    }

    /// ISO 8601 with milliseconds.
    package var iso8601: String {
        "\(year)-\(String(parts.tm_mon + 1, digits: 2))-\(String(parts.tm_mday, digits: 2))T\(clock)."
            + String(milliseconds, digits: 3) + "Z"
    }

    private var year: String { String(parts.tm_year + 1900, digits: 4) }

    private var clock: String {
        [parts.tm_hour, parts.tm_min, parts.tm_sec].map { String($0, digits: 2) }.joined(separator: ":")
    }
}

extension String {
    /// With zeros in front, up to `digits`.
    init(_ number: some BinaryInteger, digits: Int) {
        let text = String(number)
        self.init(repeating: "0", count: Swift.max(0, digits - text.count))
        self += text
    }
}
