import Ingress
import Testing

@Suite struct UTCDateTests {
    @Test(
        "dates have the forms of HTTP and ISO 8601, whatever the zone of this machine",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.005Z"),
            // The example of RFC 9110, section 5.6.7.
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.005Z"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00.005Z"),
            (4_102_444_799, "Thu, 31 Dec 2099 23:59:59 GMT", "2099-12-31T23:59:59.005Z"),
        ])
    func text(_ seconds: Int64, http: String, iso8601: String) {
        let date = UTCDate(unixNanoseconds: seconds * 1_000_000_000 + 5_999_999)
        #expect(date.http == http)
        #expect(date.iso8601 == iso8601)
    }

    @Test("what lies before 1970 counts as that", arguments: [-1, .min] as [Int64])
    func before(_ nanoseconds: Int64) {
        #expect(UTCDate(unixNanoseconds: nanoseconds).iso8601 == "1970-01-01T00:00:00.000Z")
    }
}
