package import Bytes
package import Relay
import Runtime

/// Numbers of the pool and its children.
package struct HandlerSettings: Sendable {
    /// One child waits for the next session, started and connected.
    package var keepsSpare = true
    /// From a child's start to its hello, and from there until it is ready.
    package var startTimeout = Interval.seconds(5)
    /// From a connection to its hello.
    package var helloTimeout = Interval.seconds(5)
    /// A spare that dies within this time died at its start.
    package var quickDeath = Interval.seconds(5)
    /// How long no child is started after three died at their start; then twice as long each time.
    package var shortestRest = Interval.seconds(1)
    package var longestRest = Interval.seconds(60)
    /// From a requested stop to the kill.
    package var stopTimeout = Interval.seconds(10)
    /// How long the two signs of an end, the closed connection and the ended process, may lie apart.
    package var endTimeout = Interval.seconds(1)
    /// Media that waits for a child: beyond either, frames are dropped up to the next key frame.
    package var backlogBytes = 4 * 1024 * 1024
    package var backlogTime = Interval.seconds(2)
    /// A child that took nothing for so long will not take anything again.
    package var stallTimeout = Interval.seconds(10)
    /// Sessions that wait for a child at the same time.
    package var maxWaiting = 64
    /// Connections that have not said hello.
    package var maxStrangers = 64
    package var limits = RelayLimits()

    package init() {}

    /// For the pool's end. The kernel keeps little, so that a child that stopped reading is noticed by its backlog.
    var streamOptions: TCPStream.Options {
        var options = TCPStream.Options()
        // A frame is admitted while the backlog is within its bound, so one of the largest may stand on top; as much again for
        // configurations and commands.
        options.writeQueueLimit = backlogBytes + 2 * limits.frameBytes
        options.kernelSendBytes = Self.kernelBytes
        return options
    }

    /// Bytes that the kernel keeps at each end of a relay connection: a quarter of a second at 16 Mbit/s.
    static let kernelBytes: Int32 = 512 * 1024
}
