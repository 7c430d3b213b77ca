import Foundation
import ServiceConfiguration
import Testing

@Suite("README")
struct ReadmeTests {
    @Test("the table of keys is the one that the code has")
    func keys() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        #expect(
            readme.contains(ConfigurationReference.markdown()),
            "put this into README.md:\n\(ConfigurationReference.markdown())")
    }
}
