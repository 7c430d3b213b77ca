import LiveKitProtocol
import SwiftProtobuf
import TestSupport
import Testing

/// The bodies of real exchanges with a server, byte for byte.
struct IngressMessageTests {
    @Test("a server's answer about a known key is understood and written the same")
    func getIngressInfo() throws {
        let bytes = hex(
            """
            0a3c 0a0f494e5f646464646464646464646464 120363616d 1a0c386b4a326d4e705172537455 220a72746d703a2f2f682f78
            420172 4a0170 5801 6200 7801
            """)
        let info = Livekit_IngressInfo.with {
            $0.ingressID = "IN_dddddddddddd"
            $0.name = "cam"
            $0.streamKey = "8kJ2mNpQrStU"
            $0.url = "rtmp://h/x"
            $0.roomName = "r"
            $0.participantIdentity = "p"
            $0.reusable = true
            $0.state = Livekit_IngressState()
            $0.enableTranscoding = true
        }
        let response = Rpc_GetIngressInfoResponse.with { $0.info = info }
        #expect(response.wireBytes() == bytes)
        let parsed = try Rpc_GetIngressInfoResponse(parsing: bytes)
        #expect(parsed == response)
        #expect(!parsed.info.hasEnabled, "absent means enabled, so absence must be seen")
    }

    @Test("a question about a key is written as servers read it")
    func question() {
        let request = Rpc_GetIngressInfoRequest.with { $0.streamKey = "8kJ2mNpQrStU" }
        #expect(request.wireBytes() == hex("120c386b4a326d4e705172537455"))
    }

    @Test("a server's order to start is understood")
    func startIngress() throws {
        let request = try Rpc_StartIngressRequest(
            parsing: hex(
                """
                0a29 0a0f494e5f646464646464646464646464 220a7372743a2f2f683a392f 2802 420172 4a0170 6200 7801
                """))
        #expect(request.info.ingressID == "IN_dddddddddddd")
        #expect(request.info.url == "srt://h:9/")
        #expect(request.info.inputType == .urlInput)
        #expect(request.info.roomName == "r")
        #expect(request.info.hasState)
        #expect(request.info.hasEnableTranscoding && request.info.enableTranscoding)
    }

    @Test("the answer to an order to start is written byte for byte")
    func started() {
        let info = Livekit_IngressInfo.with {
            $0.ingressID = "IN_dddddddddddd"
            $0.url = "srt://h:9/"
            $0.inputType = .urlInput
            $0.audio = Livekit_IngressAudioOptions()
            $0.video = Livekit_IngressVideoOptions()
            $0.roomName = "r"
            $0.participantIdentity = "p"
            $0.state = .with {
                $0.status = .endpointBuffering
                $0.startedAt = 1_760_000_000_006_000_000
                $0.resourceID = "UR_hhhhhhhhhhhh"
            }
            $0.enableTranscoding = true
        }
        #expect(
            info.wireBytes()
                == hex(
                    """
                    0a0f494e5f646464646464646464646464 220a7372743a2f2f683a392f 2802 3200 3a00 420172 4a0170
                    621d 0801 38809baea8cdd5b1b618 4a0f55525f686868686868686868686868 7801
                    """))
    }

    @Test("preset 0 inside its oneof is written, no preset is not")
    func presetZero() throws {
        let audio = Livekit_IngressAudioOptions.with { $0.preset = .opusStereo96Kbps }
        #expect(audio.wireBytes() == hex("1800"))
        let video = Livekit_IngressVideoOptions.with { $0.preset = .h264720P30Fps3Layers }
        #expect(video.wireBytes() == hex("1800"))
        #expect(try Livekit_IngressVideoOptions(parsing: hex("1800")) == video)
        #expect(try Livekit_IngressVideoOptions(parsing: []).encodingOptions == nil)
    }

    @Test("fields of a later version survive a reading and a writing")
    func laterVersion() throws {
        // IngressInfo with ingress_id and field 200, a text.
        let bytes = hex("0a0149 c20c026869")
        let info = try Livekit_IngressInfo(parsing: bytes)
        #expect(info.ingressID == "I")
        #expect(info.wireBytes() == bytes)
    }

    @Test("every preset has its number")
    func presetNumbers() {
        let presets: [Livekit_IngressVideoEncodingPreset] = [
            .h264720P30Fps3Layers, .h2641080P30Fps3Layers, .h264540P25Fps2Layers, .h264720P30Fps1Layer,
            .h2641080P30Fps1Layer, .h264720P30Fps3LayersHighMotion, .h2641080P30Fps3LayersHighMotion,
            .h264540P25Fps2LayersHighMotion, .h264720P30Fps1LayerHighMotion, .h2641080P30Fps1LayerHighMotion,
        ]
        #expect(presets.map(\.rawValue) == Array(0...9))
    }
}
