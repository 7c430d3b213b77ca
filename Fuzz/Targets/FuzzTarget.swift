/// One entry of the fuzzing harness: any bytes may come in, and nothing but a return may come out.
///
/// Each module's targets stand in `<Module>Targets.swift` as `let <module>Targets: [FuzzTarget]`. The same functions run under
/// libFuzzer (`script/fuzz NAME`), over the committed corpus in every test run, and over files by `ingress-fuzz`.
package struct FuzzTarget: Sendable {
    package let name: String
    package let run: @Sendable ([UInt8]) -> Void

    package init(_ name: String, _ run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.run = run
    }
}
