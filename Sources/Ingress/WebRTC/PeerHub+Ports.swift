package import Bytes
import ICE
package import Runtime

// The hub's sockets: a few that all peers share, or one for each peer out of a range.
extension PeerHub {
    /// Where peers have ports of their own.
    struct OwnPorts {
        let ip: TransportAddress.IP
        let range: ClosedRange<UInt16>
        /// Where the search for the next one begins.
        var next: UInt16
    }

    /// Binds UDP and TCP; port 0 takes any that is free for both.
    package func open(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        for attempt in 1... {
            try openUDP(on: ip, port: port)
            do throws(RuntimeError) {
                return try openTCP(on: ip, port: self.port)
            } catch {
                // The system chose a number that is free for UDP alone.
                guard port == 0, attempt < Limits.portAttempts, error.errno == .addressInUse,
                    let useless = shared.popLast()
                else { throw error }
                useless.close()
                ports[useless.id.id] = nil
                self.port = 0
            }
        }
    }

    /// One more port that peers share: each is told of one, in turn.
    package func openUDP(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        let opened = try makePort(on: TransportAddress(ip: ip, port: port))
        shared.append(opened)
        if self.port == 0 { self.port = opened.number }
    }

    /// A port that all peers are told of, whatever else they have: networks that pass little may pass STUN's own.
    package func openCommonUDP(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        common = try makePort(on: TransportAddress(ip: ip, port: port))
    }

    /// From now on each peer has a port of its own out of `range`. Throws when not even one can be bound.
    package func openRange(_ range: ClosedRange<UInt16>, on ip: TransportAddress.IP) throws(RuntimeError) {
        own = OwnPorts(ip: ip, range: range, next: .random(in: range))
        do throws(RuntimeError) {
            try makeOwnPort().close()
        } catch {
            own = nil
            throw error
        }
        ports = ports.filter { $0.value.socket != nil }
    }

    package func openTCP(on ip: TransportAddress.IP, port: UInt16) throws(RuntimeError) {
        listener = try TCPListener(on: TransportAddress(ip: ip, port: port), handler: self)
    }

    /// Ports for one more peer. Throws when the range has none that is free.
    package func takePorts() throws(RuntimeError) -> PeerPorts {
        var taken: [HubPort] = []
        if own != nil {
            taken.append(try makeOwnPort())
        } else if !shared.isEmpty {
            nextShared = (nextShared + 1) % shared.count
            taken.append(shared[nextShared])
        }
        if let common { taken.append(common) }
        return PeerPorts(all: taken, areOwn: own != nil)
    }

    /// Of a peer that left, or that never came to be.
    package func giveBack(_ taken: PeerPorts, at now: Monotonic) {
        guard taken.areOwn, let port = taken.all.first, port !== common else { return }
        ports[port.id.id] = nil
        port.closeSoon(at: now)
    }

    private func makePort(on address: TransportAddress) throws(RuntimeError) -> HubPort {
        let id = freeSocketNumber()
        let port = try HubPort(ICESocket(id: id), on: address, hub: self)
        ports[id] = port
        return port
    }

    private func freeSocketNumber() -> Int32 {
        repeat { nextSocket = nextSocket == .max ? 0 : nextSocket + 1 } while ports[nextSocket] != nil
        return nextSocket
    }

    private func makeOwnPort() throws(RuntimeError) -> HubPort {
        guard var own else { throw RuntimeError.system(.bind, .addressNotAvailable) }
        defer { self.own = own }
        var last = RuntimeError.system(.bind, .addressInUse)
        for _ in 0..<min(own.range.count, Limits.portAttempts) {
            let port = own.next
            own.next = port == own.range.upperBound ? own.range.lowerBound : port + 1
            do throws(RuntimeError) {
                return try makePort(on: TransportAddress(ip: own.ip, port: port))
            } catch {
                last = error
                // What is not the one port's fault will be no better with the next.
                guard error.errno == .addressInUse || error.errno == .accessDenied else { throw error }
            }
        }
        throw last
    }
}
