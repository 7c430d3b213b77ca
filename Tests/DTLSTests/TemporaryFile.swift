import Glibc

/// A file that goes away with its last reference.
final class TemporaryFile {
    let path: String

    struct CannotWrite: Error {}

    init(_ content: [UInt8]) throws {
        var template = Array("/tmp/dtls-tests-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw CannotWrite() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let count = content.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        Glibc.close(file)
        guard count == content.count else { throw CannotWrite() }
    }

    deinit { unlink(path) }
}
