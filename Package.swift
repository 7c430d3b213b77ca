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

func module(_ name: String, _ dependencies: [Target.Dependency] = [], strict isStrict: Bool = false) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: isStrict ? strict : settings)
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
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")

let package = Package(
    name: "ingress",
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
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
        // Floor 1: bytes and media units.
        module("Bytes", strict: true),
        module("Media", ["Bytes"], strict: true),
        // Floor 2: protocols, codecs, sockets; none knows another.
        module("RTMP", ["Bytes", "Media"], strict: true),
        module("FLV", ["Bytes", "Media"], strict: true),
        module("SDP", ["Bytes"], strict: true),
        module("RTP", ["Bytes", "Media"], strict: true),
        module("ICE", ["Bytes"], strict: true),
        module("DTLS", ["Bytes", "COpenSSL", "CSRTP"]),
        module("Transcode", ["Bytes", "Media", "CFFmpeg", "CX264", "CVPX", "COpus"]),
        module("Runtime", ["Bytes", "CLinux"]),
        // Floors 3 and 4: one peer connection, and HTTP resources as values.
        module("WebRTC", ["Bytes", "Media", "SDP", "RTP", "ICE", "DTLS"], strict: true),
        module("WHIP", ["Bytes", "SDP", "WebRTC"], strict: true),
        // Floor 5: where they are joined.
        module(
            "Ingress",
            [
                "Bytes", "Media", "RTMP", "FLV", "SDP", "RTP", "ICE", "DTLS", "Transcode", "Runtime", "WebRTC", "WHIP",
                hummingbird, httpTypes, logging, coreMetrics, nioCore,
            ]),
        // Floor 6: programs.
        .executableTarget(
            name: "ingress-test-server",
            dependencies: ["Bytes", "DTLS", "Runtime", "Transcode", "Ingress", argumentParser, logging, nioCore],
            path: "Sources/TestServer",
            resources: [
                .embedInCode("Page/index.html"), .embedInCode("Page/style.css"), .embedInCode("Page/app.js"),
            ],
            swiftSettings: settings),
        // What script/bench measures with.
        .executableTarget(
            name: "ingress-bench",
            dependencies: [
                "Bytes", "Media", "RTMP", "FLV", "RTP", "ICE", "DTLS", "Transcode", "Runtime", "WebRTC", "CFFmpeg",
                "CX264",
                "COpus", argumentParser,
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
        tests("DTLS", ["Bytes", "DTLS"]),
        tests("Transcode", ["Bytes", "Media", "Transcode"]),
        tests("Runtime", ["Bytes", "Runtime"]),
        tests("WebRTC", ["Bytes", "Media", "SDP", "RTP", "ICE", "DTLS", "WebRTC"]),
        tests("WHIP", ["Bytes", "SDP", "WebRTC", "WHIP"]),
        tests("Ingress", ["Bytes", "Media", "Transcode", "Ingress", coreMetrics]),
        tests("FuzzReplay", ["FuzzTargets"]),

        // Fuzzing.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Bytes", "Media", "RTMP", "FLV", "SDP", "RTP", "ICE", "DTLS", "Transcode", "WebRTC", "WHIP",
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
