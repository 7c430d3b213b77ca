import CSRTP

/// Protects what we send or unprotects what the peer sends, in place, RTP and RTCP alike (RFC 3711, RFC 7714); one session per
/// direction, for all SSRCs of it. Confined to one thread.
///
/// Replays are refused within a window of 1024 packets. Protecting the same packet twice is allowed, as a retransmission on the
/// original SSRC must have the same bytes; never protect two different packets under one sequence number.
package final class SRTPSession {
    package enum Direction: Sendable {
        case sending
        case receiving
    }

    /// Free bytes that protection needs behind the packet, though it uses fewer: libsrtp may write them all.
    package static let protectionTailBytes = Int(SRTP_MAX_TAG_LEN + SRTP_MAX_MKI_LEN) + 4
    /// SSRCs of a peer that get state; an authenticated peer could otherwise fill our memory.
    package static let maximumStreams = 64
    private static let replayWindow: UInt = 1024
    private static let maximumPacketBytes = 65_535
    private static let minimumRTPBytes = 12
    private static let minimumRTCPBytes = 8

    private let session: srtp_t
    private let direction: Direction
    private let tagBytes: Int
    private var streams: [UInt32] = []

    /// `key`: master key followed by salt, as in `SRTPKeyingMaterial`.
    package init(_ direction: Direction, profile: SRTPProfile, key: [UInt8]) throws(DTLSError) {
        guard key.count == profile.keyBytes + profile.saltBytes else { throw .srtpKeyMaterialMalformed }
        session = try Self.makeSession(direction, profile, key)
        self.direction = direction
        tagBytes = profile.tagBytes
        streams.reserveCapacity(Self.maximumStreams)
    }

    package convenience init(sendingWith material: SRTPKeyingMaterial) throws(DTLSError) {
        try self.init(.sending, profile: material.profile, key: material.local)
    }

    package convenience init(receivingWith material: SRTPKeyingMaterial) throws(DTLSError) {
        try self.init(.receiving, profile: material.profile, key: material.remote)
    }

    deinit { srtp_dealloc(session) }

    /// `packet` holds a whole RTP packet and grows by the tag. Traps without `protectionTailBytes` of free capacity behind it.
    /// On any status but `ok` the content is undefined.
    package func protectRTP(_ packet: inout OutputRawSpan) -> SRTPStatus {
        protect(&packet, minimum: Self.minimumRTPBytes, with: srtp_protect)
    }

    /// As `protectRTP`, for a compound RTCP packet; it grows by index and tag.
    package func protectRTCP(_ packet: inout OutputRawSpan) -> SRTPStatus {
        protect(&packet, minimum: Self.minimumRTCPBytes, with: srtp_protect_rtcp)
    }

    /// Unprotects all of `packet` in place. `count` is the length of the RTP packet at its start, 0 unless the status is `ok`;
    /// the content is undefined then.
    package func unprotectRTP(_ packet: inout MutableRawSpan) -> (status: SRTPStatus, count: Int) {
        unprotect(&packet, minimum: Self.minimumRTPBytes + tagBytes, ssrcOffset: 8, with: srtp_unprotect)
    }

    /// As `unprotectRTP`, for RTCP.
    package func unprotectRTCP(_ packet: inout MutableRawSpan) -> (status: SRTPStatus, count: Int) {
        unprotect(&packet, minimum: Self.minimumRTCPBytes + 4 + tagBytes, ssrcOffset: 4, with: srtp_unprotect_rtcp)
    }

    private typealias Operation = (srtp_t?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?) -> srtp_err_status_t

    private func protect(_ packet: inout OutputRawSpan, minimum: Int, with operation: Operation) -> SRTPStatus {
        precondition(direction == .sending, "a receiving session protects nothing")
        precondition(packet.freeCapacity >= Self.protectionTailBytes, "libsrtp needs its tail behind the packet")
        guard packet.byteCount >= minimum, packet.byteCount <= Self.maximumPacketBytes else { return .malformed }
        return packet.withUnsafeMutableBytes { buffer, count in
            var length = Int32(count)
            let status = SRTPStatus(operation(session, buffer.baseAddress, &length))
            if status == .ok { count = Int(length) }
            return status
        }
    }

    private func unprotect(
        _ packet: inout MutableRawSpan, minimum: Int, ssrcOffset: Int, with operation: Operation
    ) -> (status: SRTPStatus, count: Int) {
        precondition(direction == .receiving, "a sending session unprotects nothing")
        guard packet.byteCount >= minimum, packet.byteCount <= Self.maximumPacketBytes else { return (.malformed, 0) }
        return packet.withUnsafeMutableBytes { buffer in
            let ssrc = buffer.loadUnaligned(fromByteOffset: ssrcOffset, as: UInt32.self)
            let isKnown = streams.contains(ssrc)
            guard isKnown || streams.count < Self.maximumStreams else { return (.tooManyStreams, 0) }
            var length = Int32(buffer.count)
            let status = SRTPStatus(operation(session, buffer.baseAddress, &length))
            guard status == .ok, length >= 0 else { return (status == .ok ? .failed : status, 0) }
            if !isKnown { streams.append(ssrc) }
            return (.ok, Int(length))
        }
    }
}

extension SRTPSession {
    /// Asks the installed library by making a session; builds without a crypto backend have no GCM.
    static func isSupported(_ profile: SRTPProfile) -> Bool {
        let key = [UInt8](repeating: 1, count: profile.keyBytes + profile.saltBytes)
        guard let session = try? makeSession(.sending, profile, key) else { return false }
        srtp_dealloc(session)
        return true
    }

    /// Once per process; `static let` sees to that.
    private static let initialized = SRTPStatus(srtp_init())

    /// An idle session that lives as long as the process. Where libsrtp is built on NSS, NSS starts with the first session
    /// and stops with the last, and a start costs 3 ms; beside this one a session costs 0.05 ms.
    private static let anchor = try? SharedHandle(
        taking: createSession(.sending, .aes128CMSHA1With80BitTag, [UInt8](repeating: 0, count: 30)),
        release: freeSession)

    private static func makeSession(
        _ direction: Direction, _ profile: SRTPProfile, _ key: [UInt8]
    ) throws(DTLSError) -> srtp_t {
        guard initialized == .ok else { throw .srtpSetupFailed(initialized) }
        _ = anchor
        return try createSession(direction, profile, key)
    }

    private static func createSession(
        _ direction: Direction, _ profile: SRTPProfile, _ key: [UInt8]
    ) throws(DTLSError) -> srtp_t {
        var policy = srtp_policy_t()
        switch profile {
        case .aeadAES128GCM:
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
        case .aeadAES256GCM:
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp)
            srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp)
        case .aes128CMSHA1With80BitTag:
            srtp_crypto_policy_set_rtp_default(&policy.rtp)
            srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
        }
        policy.ssrc.type = direction == .sending ? ssrc_any_outbound : ssrc_any_inbound
        policy.window_size = replayWindow
        policy.allow_repeat_tx = 1
        var session: srtp_t?
        var key = key
        let status = key.withUnsafeMutableBufferPointer { key in
            policy.key = key.baseAddress
            return srtp_create(&session, &policy)
        }
        guard status == srtp_err_status_ok, let session else { throw .srtpSetupFailed(SRTPStatus(status)) }
        return session
    }
}

private func freeSession(_ session: srtp_t?) { srtp_dealloc(session) }
