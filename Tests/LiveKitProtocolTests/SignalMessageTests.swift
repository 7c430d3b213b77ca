import LiveKitProtocol
import SwiftProtobuf
import TestSupport
import Testing

/// Whole websocket payloads, byte for byte.
struct SignalMessageTests {
    static let audio: Livekit_SignalRequest = .with {
        $0.addTrack = .with {
            $0.cid = "TR_a"
            $0.type = .audio
            $0.source = .microphone
            $0.stereo = true
        }
    }

    static let video: Livekit_SignalRequest = .with {
        let layers: [Livekit_VideoLayer] = [layer(.low, 320, 180, 237_500), layer(.high, 1_280, 720, 1_900_000)]
        $0.addTrack = .with {
            $0.cid = "IN_d"
            $0.type = .video
            $0.width = 1_280
            $0.height = 720
            $0.source = .camera
            $0.layers = layers
            $0.simulcastCodecs = [
                .with {
                    $0.codec = "video/H264"
                    $0.cid = "IN_d"
                    $0.layers = layers
                    $0.videoLayerMode = .oneSpatialLayerPerStream
                }
            ]
        }
    }

    static func layer(
        _ quality: Livekit_VideoQuality, _ width: UInt32, _ height: UInt32, _ bitrate: UInt32
    ) -> Livekit_VideoLayer {
        .with {
            $0.quality = quality
            $0.width = width
            $0.height = height
            $0.bitrate = bitrate
        }
    }

    static let frames: [(bytes: String, message: Livekit_SignalRequest)] = [
        ("220a0a0454525f6140026001", audio),
        (
            """
            225a0a04494e5f64180120800a28d00540014a0a10c00218b40120bcbf0e4a0c080210800a18d00520e0fb73522e0a0a766964656f2f
            483236341204494e5f64220a10c00218b40120bcbf0e220c080210800a18d00520e0fb732801
            """, video
        ),
        (
            "7a1c1a1a0a12696e67726573732e7265736f757263654944120452545f78",
            .with { $0.updateMetadata.attributes = ["ingress.resourceID": "RT_x"] }
        ),
        ("42021001", .with { $0.leave.reason = .clientInitiated }),
        (
            "820109088080b3c19c33100c",
            .with {
                $0.pingReq.timestamp = 1_760_000_000_000
                $0.pingReq.rtt = 12
            }
        ),
    ]

    @Test("a request becomes the bytes that servers expect", arguments: frames.indices)
    func write(_ index: Int) {
        #expect(Self.frames[index].message.wireBytes() == hex(Self.frames[index].bytes))
    }

    @Test("the bytes of a request become the request", arguments: frames.indices)
    func parse(_ index: Int) throws {
        #expect(try Livekit_SignalRequest(parsing: hex(Self.frames[index].bytes)) == Self.frames[index].message)
    }

    @Test("a request cut off anywhere is refused, or is empty")
    func truncation() {
        for frame in Self.frames {
            let bytes = hex(frame.bytes)
            for length in 1..<bytes.count {
                #expect(throws: LiveKitProtocolError.malformed) {
                    try Livekit_SignalRequest(parsing: Array(bytes[..<length]))
                }
            }
        }
    }

    @Test("a member that is left out parses as no member, and the next known one still counts")
    func unknownMember() throws {
        // speakers_changed (10) with one byte of something, then refresh_token (16) "t".
        let response = try Livekit_SignalResponse(parsing: hex("5201ff"))
        #expect(response.message == nil)
        #expect(try Livekit_SignalResponse(parsing: hex("5201ff 82010174")).message == .refreshToken("t"))
    }

    @Test("unknown enum values and unknown fields survive")
    func unknownValues() throws {
        // leave { reason 99, field 1000: varint 1 }
        let bytes = hex("4205 1063 c03e01")
        let response = try Livekit_SignalResponse(parsing: bytes)
        #expect(response.leave.reason == .UNRECOGNIZED(99))
        #expect(response.wireBytes() == bytes)
    }

    @Test("nesting without end is refused")
    func nesting() {
        // Groups inside groups of an unknown field.
        #expect(throws: LiveKitProtocolError.malformed) {
            try Livekit_SignalResponse(parsing: [UInt8](repeating: 0xc3, count: 4_096))
        }
    }
}
