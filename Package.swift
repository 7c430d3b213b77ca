// swift-tools-version: 6.2
import PackageDescription

// One line per module, lowest floor first; script/lint holds the imports of every file against this table.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]
/// Protocol modules hold no unsafe code; only Bytes may, and marks it.
let strict = settings + [.strictMemorySafety()]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], excluding: [String] = [], strict isStrict: Bool = false
) -> Target {
    .target(name: name, dependencies: dependencies, exclude: excluding, swiftSettings: isStrict ? strict : settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies + ["TestSupport"], swiftSettings: settings)
}

func system(_ name: String) -> Target { .systemLibrary(name: name, path: "Sources/C/" + name) }

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let swiftProtobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "ingress",
    products: [.executable(name: "ingress", targets: ["IngressDaemon"])],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    ],
    targets: [
        // Floor 0: C libraries.
        system("CFFmpeg"),
        system("CX264"),
        system("CVPX"),
        system("COpus"),
        system("CSRTP"),
        system("COpenSSL"),
        system("CLinux"),
        system("CHiredis"),
        system("CYAML"),
        // Floor 1: bytes and media units.
        module("Bytes", strict: true),
        module("Media", ["Bytes"], strict: true),
        // Floor 2: protocols, codecs, sockets; none knows another.
        module("RTMP", ["Bytes", "Media"], strict: true),
        module("FLV", ["Bytes", "Media"], strict: true),
        module("SDP", ["Bytes"], strict: true),
        module("RTP", ["Bytes", "Media"], strict: true),
        module("ICE", ["Bytes"], strict: true),
        module("DTLS", ["Bytes", "COpenSSL"]),
        module("Transcode", ["Bytes", "Media", "CFFmpeg", "CX264", "CVPX", "COpus"]),
        module("Runtime", ["Bytes", "CLinux"]),
        module("Relay", ["Bytes", "Media"], strict: true),
        module("LiveKitProtocol", ["Bytes", swiftProtobuf], excluding: ["Protos"]),
        module("ServiceConfiguration", ["Bytes", "CYAML"]),
        // Floors 3 and 4: one peer connection, and HTTP resources as values.
        module("WebRTC", ["Bytes", "Media", "SDP", "RTP", "ICE", "DTLS"], strict: true),
        module("WHIP", ["Bytes", "SDP", "WebRTC"], strict: true),
        // Floors 4 and 5: Redis, the RPC over it, and LiveKit's signalling.
        module("Redis", ["Bytes", "Runtime", "DTLS", "CHiredis"]),
        module(
            "PSRPC", ["Bytes", "Runtime", "DTLS", "Redis", "LiveKitProtocol", swiftProtobuf], excluding: ["Protos"]),
        module(
            "LiveKit",
            [
                "Bytes", "Media", "SDP", "DTLS", "Runtime", "LiveKitProtocol", swiftProtobuf, nioCore, nioPosix,
                nioHTTP1, nioWebSocket,
            ]),
        // Floor 6: where they are joined.
        module(
            "Ingress",
            [
                "Bytes", "Media", "RTMP", "FLV", "SDP", "RTP", "ICE", "DTLS", "Transcode", "Runtime", "WebRTC", "WHIP",
                "Relay", "LiveKitProtocol", "ServiceConfiguration", "Redis", "PSRPC", "LiveKit", hummingbird, httpTypes,
                logging, coreMetrics, nioCore, nioPosix, swiftProtobuf,
            ], excluding: ["Protos"]),
        // Floor 7: programs.
        .executableTarget(
            name: "IngressDaemon",
            dependencies: ["Bytes", "Runtime", "ServiceConfiguration", "Ingress", argumentParser, logging],
            swiftSettings: settings),
        .executableTarget(
            name: "ingress-test-server",
            dependencies: ["Bytes", "DTLS", "Runtime", "Transcode", "Ingress", argumentParser, logging, nioCore],
            path: "Sources/TestServer",
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/style.css"), .embedInCode("Page/app.js"),
                .embedInCode("Page/ui.js"), .embedInCode("Page/publish.js"), .embedInCode("Page/picture.js"),
            ],
            swiftSettings: settings),
        // What script/bench measures with, and what counts allocations for script/test.
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .executableTarget(
            name: "ingress-bench",
            dependencies: [
                "AllocationCounter", "Bytes", "Media", "RTMP", "FLV", "SDP", "RTP", "ICE", "DTLS", "Transcode",
                "Runtime",
                "WebRTC", "WHIP", "Ingress", "CFFmpeg", "CX264", "COpus", argumentParser, logging,
            ],
            path: "Tests/Bench",
            swiftSettings: settings),

        // Tests: one target a module, and the fuzz corpus through the same functions that libFuzzer runs.
        .target(
            name: "TestSupport", dependencies: ["Bytes", "Media"], path: "Tests/TestSupport", swiftSettings: settings),
        tests("Bytes", ["Bytes"]),
        tests("Media", ["Bytes", "Media"]),
        tests("RTMP", ["Bytes", "Media", "RTMP"]),
        tests("FLV", ["Bytes", "Media", "FLV"]),
        tests("SDP", ["Bytes", "SDP"]),
        tests("RTP", ["Bytes", "Media", "RTP"]),
        tests("ICE", ["Bytes", "ICE"]),
        // libsrtp is what our SRTP is compared with. It carried media before, but Debian builds it on NSS, which allocates per packet.
        tests("DTLS", ["Bytes", "DTLS", "CSRTP"]),
        tests("Transcode", ["Bytes", "Media", "Transcode"]),
        tests("Runtime", ["Bytes", "Runtime"]),
        tests("WebRTC", ["Bytes", "Media", "SDP", "RTP", "ICE", "DTLS", "WebRTC"]),
        tests("WHIP", ["Bytes", "SDP", "WebRTC", "WHIP"]),
        tests("Relay", ["Bytes", "Media", "Relay"]),
        tests("LiveKitProtocol", ["Bytes", "LiveKitProtocol", swiftProtobuf]),
        tests("ServiceConfiguration", ["Bytes", "ServiceConfiguration"]),
        tests("Redis", ["Bytes", "Runtime", "DTLS", "Redis"]),
        tests("PSRPC", ["Bytes", "Runtime", "DTLS", "Redis", "PSRPC", "LiveKitProtocol", swiftProtobuf]),
        tests(
            "LiveKit",
            [
                "Bytes", "Media", "SDP", "DTLS", "Runtime", "LiveKit", "LiveKitProtocol", swiftProtobuf, nioCore,
                nioPosix, nioHTTP1, nioWebSocket,
            ]),
        tests("Operations", ["Bytes", "Runtime", "ServiceConfiguration", "Ingress", coreMetrics, logging]),
        tests("Processes", ["Bytes", "Media", "Relay", "Runtime", "Ingress", coreMetrics, logging]),
        tests(
            "Ingress",
            [
                "Bytes", "Media", "SDP", "RTP", "ICE", "DTLS", "WebRTC", "Runtime", "Transcode", "LiveKit",
                "LiveKitProtocol", "ServiceConfiguration", "PSRPC", "WHIP", "Ingress", coreMetrics, logging,
                swiftProtobuf,
            ]),
        tests("FuzzReplay", ["FuzzTargets"]),

        // Fuzzing.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Bytes", "Media", "RTMP", "FLV", "SDP", "RTP", "ICE", "DTLS", "Transcode", "WebRTC", "WHIP", "Relay",
                "ServiceConfiguration", "Redis", "PSRPC", "LiveKit",
            ], path: "Fuzz/Targets", swiftSettings: settings),
        .executableTarget(
            name: "ingress-fuzz", dependencies: ["FuzzTargets", argumentParser], path: "Fuzz/Replay",
            swiftSettings: settings),
    ]
)

// libFuzzer brings its own main, so its program exists only where script/fuzz asks for it.
if Context.environment["FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "ingress-libfuzzer", dependencies: ["FuzzTargets"], path: "Fuzz/LibFuzzer", swiftSettings: settings))
}
