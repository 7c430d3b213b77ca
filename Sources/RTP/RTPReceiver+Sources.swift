import Bytes
import Media

// Which stream a new source belongs to (RFC 8843 section 9.2, RFC 8852 section 3, RFC 4588 section 5.3).

extension RTPReceiver {
    /// Binds a source that is not known yet; nil when it belongs nowhere, or is not to be believed yet.
    mutating func bind(_ header: RTPHeader, _ values: HeaderExtensionValues, at now: Monotonic) -> Binding? {
        guard let section = section(of: header, values), let role = sections[section].role(of: header.payloadType)
        else { return nil }
        if case .retransmission = role { return bindRetransmission(header.ssrc, values, in: section) }
        return bindMedia(header, values, in: section, at: now)
    }

    private func section(of header: RTPHeader, _ values: HeaderExtensionValues) -> Int? {
        // A mid that is not here must not be taken for another one.
        if let mid = values.mid { return sections.firstIndex { $0.configuration.mid == mid } }
        if let streamID = values.streamID ?? values.repairedStreamID,
            let index = onlySection({ $0.configuration.streamIDs.contains(streamID) })
        {
            return index
        }
        if let index = sections.firstIndex(where: { $0.announces(header.ssrc) }) { return index }
        return onlySection { $0.role(of: header.payloadType) != nil }
    }

    /// The section that the condition holds for; nil when there is none or more than one.
    private func onlySection(_ condition: (ReceiveSection) -> Bool) -> Int? {
        var found: Int?
        for index in sections.indices where condition(sections[index]) {
            if found != nil { return nil }
            found = index
        }
        return found
    }

    private mutating func bindMedia(
        _ header: RTPHeader, _ values: HeaderExtensionValues, in section: Int, at now: Monotonic
    ) -> Binding? {
        let streamIDs = sections[section].configuration.streamIDs
        let isAnnounced = sections[section].announcesMedia(header.ssrc)
        var streamID: InlineBytes?
        if sections[section].isSimulcast {
            streamID = values.streamID ?? (streamIDs.count == 1 ? streamIDs.first : nil)
            if let streamID {
                guard streamIDs.contains(streamID) else { return nil }
            } else {
                // Layers are told by their names unless those cannot be sent.
                guard isAnnounced, sections[section].configuration.extensions[.streamID] == nil else { return nil }
            }
        }
        let existing = streams.firstIndex { stream in
            guard stream.section == section, stream.streamID == streamID else { return false }
            // Several announced sources without names are several streams.
            return streamID != nil || !isAnnounced || !sections[section].announcesMedia(stream.ssrc)
        }
        if let existing { return rebind(existing, to: header, at: now) }
        guard streams.count < RTPLimits.maxReceiveStreams else { return nil }
        streams.append(ReceiveStream(section: section, sections[section], streamID: streamID, ssrc: header.ssrc))
        let binding = Binding(ssrc: header.ssrc, stream: streams.count - 1, isRetransmission: false)
        bindings.append(binding)
        return binding
    }

    /// A publisher that starts its track anew may take a new source. A live one is replaced only after two packets in
    /// a row, so that a flood of sources replaces nothing.
    private mutating func rebind(_ stream: Int, to header: RTPHeader, at now: Monotonic) -> Binding? {
        let last = streams[stream].statistics.lastPacketAt ?? .zero
        let isSilent = streams[stream].goodbyeAt != nil || now - last >= RTPLimits.rebindSilence
        let candidate = streams[stream].candidate
        let isConfirmed = candidate?.ssrc == header.ssrc && candidate?.number == header.sequenceNumber
        guard isSilent || isConfirmed else {
            streams[stream].candidate = .init(ssrc: header.ssrc, number: header.sequenceNumber &+ 1)
            return nil
        }
        bindings.removeAll { $0.stream == stream }
        streams[stream].rebind(to: header.ssrc, next: header.sequenceNumber, missing: isConfirmed ? 1 : 0)
        let binding = Binding(ssrc: header.ssrc, stream: stream, isRetransmission: false)
        bindings.append(binding)
        return binding
    }

    private mutating func bindRetransmission(
        _ ssrc: UInt32, _ values: HeaderExtensionValues, in section: Int
    ) -> Binding? {
        guard let stream = repairedStream(ssrc, values, in: section) else { return nil }
        bindings.removeAll { $0.stream == stream && $0.isRetransmission }
        streams[stream].retransmissionSSRC = ssrc
        let binding = Binding(ssrc: ssrc, stream: stream, isRetransmission: true)
        bindings.append(binding)
        return binding
    }

    private func repairedStream(_ ssrc: UInt32, _ values: HeaderExtensionValues, in section: Int) -> Int? {
        if sections[section].isSimulcast, let streamID = values.repairedStreamID ?? values.streamID {
            return streams.firstIndex { $0.section == section && $0.streamID == streamID }
        }
        let pairs = sections[section].configuration.retransmissionPairs
        if let pair = pairs.first(where: { $0.retransmission == ssrc }) {
            return streams.firstIndex { $0.section == section && $0.ssrc == pair.media }
        }
        guard let first = streams.firstIndex(where: { $0.section == section }),
            streams.lastIndex(where: { $0.section == section }) == first
        else { return nil }
        return first
    }
}
