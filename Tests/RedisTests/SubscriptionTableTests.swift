import Redis
import Testing

@Suite struct SubscriptionTableTests {
    private static func commands(_ table: inout SubscriptionTable) -> [SubscriptionTable.Command] {
        var commands: [SubscriptionTable.Command] = []
        while let command = table.pollCommand() { commands.append(command) }
        return commands
    }

    /// A table with one connection and these channels confirmed.
    private static func table(_ channels: String...) throws -> SubscriptionTable {
        var table = SubscriptionTable()
        table.connected()
        for channel in channels { try table.add(channel) }
        _ = commands(&table)
        for channel in channels { table.confirmed(channel) }
        return table
    }

    @Test("a channel is asked for once, however many want it, and given up with the last")
    func users() throws {
        var table = SubscriptionTable()
        table.connected()
        try table.add("a")
        try table.add("a")
        #expect(Self.commands(&table) == [.subscribe(["a"])])
        #expect(!table.isConfirmed("a") && !table.isComplete)
        table.confirmed("a")
        #expect(table.isConfirmed("a") && table.isComplete)
        table.remove("a")
        #expect(Self.commands(&table) == [])
        table.remove("a")
        #expect(Self.commands(&table) == [.unsubscribe(["a"])])
        #expect(!table.isGone("a") && table.count == 0)
        table.confirmed("a")
        #expect(table.isGone("a") && table.isComplete)
    }

    @Test("channels go out together, in bounded pieces, and never both kinds in one")
    func batches() throws {
        var limits = RedisLimits()
        limits.channelsPerCommand = 2
        var table = SubscriptionTable(limits: limits)
        table.connected()
        for channel in ["a", "b", "c"] { try table.add(channel) }
        #expect(Self.commands(&table) == [.subscribe(["a", "b"]), .subscribe(["c"])])
        table.remove("a")
        try table.add("d")
        table.remove("b")
        #expect(Self.commands(&table) == [.unsubscribe(["a"]), .subscribe(["d"]), .unsubscribe(["b"])])
    }

    @Test("a change of mind before anything was sent costs nothing")
    func changeOfMind() throws {
        var table = SubscriptionTable()
        table.connected()
        try table.add("a")
        table.remove("a")
        #expect(Self.commands(&table) == [])
        #expect(table.isGone("a"))
        try table.add("b")
        table.remove("b")
        try table.add("b")
        #expect(Self.commands(&table) == [.subscribe(["b"])])
    }

    @Test("a change of mind under way is confirmed only by the last confirmation")
    func underway() throws {
        var table = SubscriptionTable()
        table.connected()
        try table.add("a")
        #expect(Self.commands(&table) == [.subscribe(["a"])])
        table.remove("a")
        #expect(Self.commands(&table) == [.unsubscribe(["a"])])
        try table.add("a")
        #expect(Self.commands(&table) == [.subscribe(["a"])])
        table.confirmed("a")
        #expect(!table.isConfirmed("a"))
        table.confirmed("a")
        #expect(!table.isConfirmed("a"))
        table.confirmed("a")
        #expect(table.isConfirmed("a") && table.isComplete)
    }

    @Test("a new connection hears of all that is wanted, and of nothing else")
    func reconnection() throws {
        var table = try Self.table("a", "b", "c")
        table.remove("b")
        table.disconnected()
        #expect(!table.isConfirmed("a") && table.isGone("b") && !table.isComplete)
        try table.add("d")
        #expect(Self.commands(&table) == [])
        table.connected()
        #expect(Self.commands(&table) == [.subscribe(["a", "c", "d"])])
        for channel in ["a", "c"] { table.confirmed(channel) }
        #expect(!table.isComplete)
        table.confirmed("d")
        #expect(table.isComplete)
    }

    @Test("a confirmation of the connection before, or of nothing, is ignored")
    func strays() throws {
        var table = try Self.table("a")
        table.confirmed("a")
        table.confirmed("x")
        #expect(table.isConfirmed("a") && table.isComplete)
        table.remove("x")
        #expect(table.count == 1)
    }

    @Test("channels and their names are bounded")
    func limits() throws {
        var limits = RedisLimits()
        limits.channels = 2
        limits.channelBytes = 3
        var table = SubscriptionTable(limits: limits)
        try table.add("abc")
        #expect(throws: RedisError.limitExceeded(.channelBytes)) { try table.add("abcd") }
        try table.add("b")
        try table.add("b")
        #expect(throws: RedisError.limitExceeded(.channels)) { try table.add("c") }
    }
}
