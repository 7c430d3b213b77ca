import RTMP
import Testing

@Suite struct PublishRequestTests {
    struct Case: Sendable {
        var app: String
        var url: String
        var name: String
        var expected: (app: String, key: String, query: String)
    }

    static let cases: [Case] = [
        Case(app: "live", url: "rtmp://h/live", name: "key", expected: ("live", "key", "")),
        Case(app: "live", url: "rtmp://h:1935/live", name: "key?token=t&x=1", expected: ("live", "key", "token=t&x=1")),
        Case(app: "a", url: "rtmp://h/a", name: "b/key", expected: ("a/b", "key", "")),
        Case(app: "a/b", url: "rtmp://h/a/b", name: "key", expected: ("a/b", "key", "")),
        Case(app: "live/key", url: "rtmp://h/live/key", name: "", expected: ("live", "key", "")),
        Case(app: "live", url: "rtmp://h/live/key", name: "", expected: ("live", "key", "")),
        Case(app: "", url: "rtmp://h/live/key?token=t", name: "", expected: ("live", "key", "token=t")),
        Case(app: "", url: "rtmp://h/live", name: "key", expected: ("live", "key", "")),
        Case(app: "live?token=t", url: "rtmp://h/live?token=t", name: "key", expected: ("live", "key", "token=t")),
        Case(app: "live?a=1", url: "", name: "key?b=2", expected: ("live", "key", "b=2")),
        Case(app: "live/", url: "rtmp://h/live/", name: "/key/", expected: ("live", "key", "")),
        Case(app: "live", url: "rtmp://h/live", name: "", expected: ("live", "", "")),
        Case(app: "", url: "", name: "key", expected: ("", "key", "")),
        Case(app: "", url: "", name: "", expected: ("", "", "")),
        Case(app: "", url: "rtmp://h", name: "", expected: ("", "", "")),
        Case(app: "", url: "rtmps://[::1]:443/x/k", name: "", expected: ("x", "k", "")),
        Case(app: "live", url: "rtmp://h/live", name: "?token=t", expected: ("live", "", "token=t")),
    ]

    @Test("app, key and query are found wherever the encoder put them", arguments: 0..<cases.count)
    func places(index: Int) {
        let item = Self.cases[index]
        var connect = RTMPConnectRequest()
        connect.app = item.app
        connect.tcURL = item.url
        let request = RTMPPublishRequest(connect: connect, name: item.name, publishType: "live")
        #expect((request.app, request.key, request.query) == item.expected)
    }

    @Test("the text form does not show the key")
    func redacted() {
        let request = RTMPPublishRequest(connect: RTMPConnectRequest(), name: "live/secret-key", publishType: "live")
        #expect(!"\(request)".contains("secret"))
        #expect("\(request)".contains("live"))
    }
}
