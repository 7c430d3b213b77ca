import Foundation
import FuzzTargets

// FUZZ_TARGET names the target, or "list"; all arguments are libFuzzer's.

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

private let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? "list"
private let chosen = allFuzzTargets.first { $0.name == name }

guard let target = chosen else {
    for target in allFuzzTargets { print(target.name) }
    exit(name == "list" ? 0 : 2)
}

nonisolated(unsafe) private var run = target.run

/// libFuzzer links only where this symbol is.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(runDriver(&count, &arguments, testOneInput))
