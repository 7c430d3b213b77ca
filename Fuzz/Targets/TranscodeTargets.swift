import Bytes
import Media
import Transcode

package let transcodeTargets: [FuzzTarget] = [
    FuzzTarget("transcode-ladder") { bytes in
        var input = FuzzInput(bytes)
        let source = PictureSize(input.int(in: 0...10_000), input.int(in: 0...10_000))
        let rate = Double(input.int(in: 0...200))
        let text = String(decoding: input.remainder(), as: UTF8.self)
        guard let spec = try? LadderSpec(layers: text, maxFrameRate: rate) else { return }
        let plan = LadderPlan(spec: spec, source: source)
        precondition((1...spec.layers.count).contains(plan.rungs.count), "a ladder has rungs, and no more than ordered")
        for (rung, layer) in zip(plan.rungs, spec.layers) {
            precondition(rung.size.width % 2 == 0 && rung.size.height % 2 == 0, "rungs are even")
            precondition(
                rung.size.width <= layer.width + 1 && rung.size.height <= layer.height + 1, "rungs fit their box")
            precondition(rung.bitrate <= layer.bitrate && rung.bitrate > 0 && rung.threads > 0, "rungs ask for no more")
        }
    },
    FuzzTarget("transcode-clock") { bytes in
        var input = FuzzInput(bytes)
        var pacer = FramePacer(maxFrameRate: Double(input.int(in: 1...120)))
        var meter = FrameRateMeter()
        var timeline = AudioTimeline()
        var pts = TranscodeLimits.times.lowerBound
        while !input.isEmpty {
            let step = Int64(input.int(in: 0...1 << 31)) << Int64(input.byte() % 32)
            pts = min(
                max(pts &+ (input.byte() & 1 == 0 ? step : -step), TranscodeLimits.times.lowerBound),
                TranscodeLimits.times.upperBound)
            _ = pacer.admit(pts)
            if let rate = meter.record(pts) { precondition(rate > 0, "a window has pictures") }
            if timeline.judge(pts, waiting: Int64(input.byte())) == .jump { timeline.restart(at: pts) }
            let samples = Int64(input.int(in: 0...65_536))
            timeline.advance(samples)
            if let correction = timeline.correction(after: samples) {
                precondition(correction.magnitude <= 240, "no correction is heard")
            }
        }
    },
    FuzzTarget("transcode-video") { bytes in
        var input = FuzzInput(bytes)
        let codec = VideoCodec.allCases[input.int(in: 0...VideoCodec.allCases.count - 1)]
        let record = input.slice(upTo: 512)
        let layer = LadderSpec.Layer(quality: .low, width: 64, height: 64, bitrate: 50_000)
        guard let spec = try? LadderSpec(layers: [layer]) else { preconditionFailure("the ladder is a good one") }
        let pipeline = VideoPipeline(spec: spec, maxThreads: 1)
        let configuration = VideoConfiguration(codec: codec, record: record.isEmpty ? nil : SlabSlice(copying: record))
        guard (try? pipeline.configure(configuration)) != nil else { return }
        var last: Int64?
        for index in 0..<Int64(16) where !input.isEmpty {
            let payload = SlabSlice(copying: input.slice(upTo: 4096))
            let frame = EncodedFrame(
                codec: .video(codec), pts: index * 40_000_000, dts: index * 40_000_000, isKey: index == 0,
                payload: payload)
            do throws(TranscodeError) {
                try pipeline.process(frame) { output in
                    guard case .frame(_, let coded) = output else { return }
                    precondition(
                        last.map { $0 < coded.pts } ?? coded.isKey, "times grow, and the first frame is a key frame")
                    last = coded.pts
                }
            } catch {
                precondition(error.severity == .drop, "a peer's bytes break no encoder")
            }
        }
        try? pipeline.finish { _ in }
    },
    FuzzTarget("transcode-audio") { bytes in
        var input = FuzzInput(bytes)
        let codec = AudioCodec.allCases[input.int(in: 0...AudioCodec.allCases.count - 1)]
        let record = input.slice(upTo: 512)
        guard let pipeline = try? AudioPipeline(spec: AudioSpec(complexity: 0)) else {
            preconditionFailure("Opus starts")
        }
        let configuration = AudioConfiguration(
            codec: codec, record: record.isEmpty ? nil : SlabSlice(copying: record),
            sampleRate: input.int(in: 0...96_000),
            channels: input.int(in: 0...8))
        guard (try? pipeline.configure(configuration)) != nil else { return }
        for index in 0..<Int64(32) where !input.isEmpty {
            let frame = EncodedFrame(
                codec: .audio(codec), pts: index * 20_000_000, dts: index * 20_000_000, isKey: true,
                payload: SlabSlice(copying: input.slice(upTo: 2048)))
            do throws(TranscodeError) {
                try pipeline.process(frame) {
                    precondition($0.frame.payload.count <= 1276, "an Opus packet is bounded")
                }
            } catch {
                precondition(error.severity == .drop, "a peer's bytes break no encoder")
            }
        }
        try? pipeline.finish { _ in }
    },
]
