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
    ]
)
