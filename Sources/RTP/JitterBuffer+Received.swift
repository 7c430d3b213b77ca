extension JitterBuffer.Packet {
    /// A received packet, with the places that carry nothing as well.
    package init(_ packet: ReceivedPacket) {
        self.init(
            sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, marker: packet.marker,
            payloadType: packet.payloadType, payload: packet.payload, arrival: packet.arrival,
            followsGap: packet.didRestart)
    }
}
