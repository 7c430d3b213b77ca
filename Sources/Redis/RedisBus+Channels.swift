package import Bytes
package import Runtime

/// One wish to hear a channel.
@MediaLoop
package final class RedisSubscription {
    package nonisolated let channel: String
    let handler: @MediaLoop (RedisMessage) -> Void
    fileprivate(set) var isActive = true

    fileprivate init(_ channel: String, _ handler: @escaping @MediaLoop (RedisMessage) -> Void) {
        self.channel = channel
        self.handler = handler
    }
}

/// Somebody who waits until the server knows that a channel is wanted, or no longer wanted.
struct ChannelWaiter {
    let channel: String
    let isSubscribing: Bool
    let deadline: Monotonic?
    let waiter: CheckedContinuation<Result<Void, RedisError>, Never>
}

extension RedisBus {
    /// Calls `handler` with every message on `channel`; returns when the server has confirmed it. Several may subscribe
    /// to one channel. While there is no connection the confirmation waits for the next one, as long as `timeout` says.
    package func subscribe(
        _ channel: String, within timeout: Interval? = nil, handler: @escaping @MediaLoop (RedisMessage) -> Void
    ) async throws(RedisError) -> RedisSubscription {
        guard !isClosed else { throw .closed }
        try table.add(channel)
        let subscription = RedisSubscription(channel, handler)
        subscribers[channel, default: []].append(subscription)
        do throws(RedisError) {
            try await confirmation(of: channel, isSubscribing: true, within: timeout)
            return subscription
        } catch {
            remove(subscription)
            throw error
        }
    }

    /// The handler is not called any more. Returns when the server has confirmed it, or the connection is gone, which
    /// has the same effect.
    package func unsubscribe(_ subscription: RedisSubscription) async {
        guard subscription.isActive, !isClosed else { return }
        remove(subscription)
        // Only `close()` fails this.
        try? await confirmation(of: subscription.channel, isSubscribing: false, within: nil)
    }

    /// Channels that somebody wants.
    package var channelCount: Int { table.count }

    private func remove(_ subscription: RedisSubscription) {
        guard subscription.isActive else { return }
        subscription.isActive = false
        subscribers[subscription.channel]?.removeAll { $0 === subscription }
        if subscribers[subscription.channel]?.isEmpty ?? false { subscribers[subscription.channel] = nil }
        table.remove(subscription.channel)
        sendSubscriptions()
    }

    private func confirmation(
        of channel: String, isSubscribing: Bool, within timeout: Interval?
    ) async throws(RedisError) {
        sendSubscriptions()
        guard !isSettled(channel, isSubscribing) else { return }
        let deadline = timeout.map { MediaLoop.now + $0 }
        let result = await withCheckedContinuation { waiter in
            confirmations.append(
                ChannelWaiter(channel: channel, isSubscribing: isSubscribing, deadline: deadline, waiter: waiter))
            schedule()
        }
        try result.get()
    }

    private func isSettled(_ channel: String, _ isSubscribing: Bool) -> Bool {
        // Somebody else may want the channel again meanwhile: then there is nothing to wait for.
        isSubscribing ? table.isConfirmed(channel) : table.isGone(channel) || subscribers[channel] != nil
    }

    func sendSubscriptions() {
        while let connection = channels.connection, let command = table.pollCommand() {
            switch command {
            case .subscribe(let names): connection.subscribe(names)
            case .unsubscribe(let names): connection.unsubscribe(names)
            }
        }
    }

    func receive(_ event: RedisSession.Event) {
        switch event {
        case .message(let message):
            // A handler may subscribe and unsubscribe.
            for subscription in subscribers[message.channel] ?? [] where subscription.isActive {
                subscription.handler(message)
            }
        case .subscribed(let channel), .unsubscribed(let channel):
            table.confirmed(channel)
            resumeSettled()
            updateReadiness()
        case .subscriptionRefused(let channels, let text): refuse(channels, text)
        case .ready, .replied: break
        }
    }

    func resumeSettled() {
        let settled = confirmations.filter { isSettled($0.channel, $0.isSubscribing) }
        guard !settled.isEmpty else { return }
        confirmations.removeAll { isSettled($0.channel, $0.isSubscribing) }
        for entry in settled { entry.waiter.resume(returning: .success(())) }
    }

    /// The user has no right to these channels. Those who are waiting learn it; channels that were heard before and are
    /// refused now leave the bus without them, so the connection counts as broken until the right is back.
    private func refuse(_ names: [String], _ text: String) {
        let refused = Set(names)
        let hadWaiters = confirmations.contains { $0.isSubscribing && refused.contains($0.channel) }
        for name in names { table.confirmed(name) }
        failConfirmations { $0.isSubscribing && refused.contains($0.channel) ? .refused(text) : nil }
        if !hadWaiters { channels.abandon(.refused(text)) }
    }

    func failConfirmations(_ error: (ChannelWaiter) -> RedisError?) {
        let all = confirmations
        confirmations = []
        for entry in all {
            if let error = error(entry) {
                entry.waiter.resume(returning: .failure(error))
            } else {
                confirmations.append(entry)
            }
        }
    }
}

// MARK: - Cluster

extension RedisBus {
    /// Sends `command` to the node that another one named, and on from there, `maximumRedirects` times in all.
    func follow(_ redirect: ClusterRedirect, _ command: RedisCommand, _ completion: @escaping Completion) {
        Task {
            do throws(RedisError) {
                completion(.success(try await followed(redirect, command)))
            } catch {
                completion(.failure(error))
            }
        }
    }

    private func followed(_ first: ClusterRedirect, _ command: RedisCommand) async throws(RedisError) -> RedisReply {
        var redirect = first
        for _ in 0..<settings.maximumRedirects {
            let node = try await node(at: redirect.address)
            let reply: RedisReply
            if redirect.isAsk {
                // Sent in one piece: ASKING holds for the next command of its connection.
                node.send(RedisCommand("ASKING")) { _ in }
            }
            reply = try await node.send(command)
            guard case .error(let text) = reply, let next = ClusterRedirect(text, answeredBy: node.address) else {
                return reply
            }
            redirect = next
        }
        throw .tooManyRedirects
    }

    private func node(at address: RedisAddress) async throws(RedisError) -> RedisConnection {
        if let connection = commands.connection, connection.address == address { return connection }
        if let node = nodes[address], node.isOpen { return node }
        let node = try await connector.connectNode(address)
        guard !isClosed else {
            node.close()
            throw .closed
        }
        // Two commands may have opened it at once.
        if let other = nodes[address], other.isOpen {
            node.close()
            return other
        }
        if nodes.count >= settings.limits.redirectConnections, let victim = nodes.keys.min(by: { "\($0)" < "\($1)" }) {
            nodes.removeValue(forKey: victim)?.close()
        }
        nodes[address] = node
        return node
    }
}
