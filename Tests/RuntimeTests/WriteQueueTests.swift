import Bytes
import Runtime
import Testing
import TestSupport

@Suite struct WriteQueueTests {
    @Test("what goes in comes out in order, under random sizes, against a plain array")
    func model() {
        var generator = SeededGenerator(seed: 3)
        var queue = WriteQueue(limit: 100_000)
        var model: [UInt8] = []
        for _ in 0..<2_000 {
            let bytes = generator.bytes(.random(in: 0...700, using: &generator))
            let fits = queue.append(bytes.rawSpan)
            #expect(fits == (model.count + bytes.count <= 100_000))
            if fits { model += bytes }
            if Bool.random(using: &generator) {
                let taken = Int.random(in: 0...queue.count, using: &generator) / 2
                let front = Array(queue.pending.prefix(taken))
                if front != Array(model.prefix(taken)) { Issue.record("order differs"); return }
                queue.consume(taken)
                model.removeFirst(taken)
            }
        }
        let rest = Array(queue.pending)
        let isSame = rest == model
        #expect(isSame)
    }

    @Test("the limit holds to the byte, and a refused piece leaves nothing behind")
    func limit() throws {
        var queue = WriteQueue(limit: 10)
        var accepted = queue.put([UInt8](repeating: 1, count: 10))
        #expect(accepted)
        accepted = queue.put([2])
        #expect(!accepted)
        accepted = queue.put([])
        #expect(accepted)
        queue.consume(1)
        accepted = queue.put([3])
        #expect(accepted)
        let bytes = Array(queue.pending)
        #expect(bytes == [1, 1, 1, 1, 1, 1, 1, 1, 1, 3])
    }

    @Test("a piece built in place keeps what was appended, and nothing after a failure")
    func inPlace() {
        struct Refused: Error {}
        var queue = WriteQueue(limit: 10)
        var accepted = queue.append(upTo: 8) { $0.append(bigEndian: 0x0102 as UInt16) }
        #expect(accepted)
        accepted = queue.append(upTo: 9) { _ in Issue.record("no room for this") }
        #expect(!accepted)
        do {
            _ = try queue.append(upTo: 4) { span throws(Refused) in
                span.append(9, as: UInt8.self)
                throw Refused()
            }
            Issue.record("nothing thrown")
        } catch {}
        let bytes = Array(queue.pending)
        #expect(bytes == [1, 2])
        queue.removeAll()
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
    }
}

extension WriteQueue {
    fileprivate mutating func put(_ bytes: [UInt8]) -> Bool { append(bytes.rawSpan) }
}
