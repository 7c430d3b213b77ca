// swift-tools-version: 6.2
import PackageDescription

// One line per module; script/lint holds the imports of every file against the floors in docs/architecture.md.

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

let package = Package(
    name: "ingress",
    products: [],
    dependencies: [],
    targets: [
        module("Bytes", strict: true),
        module("Media", ["Bytes"], strict: true),
    ]
)
