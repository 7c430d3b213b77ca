package import Bytes
import Glibc
package import Runtime

/// Gives the budget a sample each second.
@MediaLoop
package final class CPUMonitor {
    private static let period = Interval.seconds(1)

    private var sampler: CPUSampler
    private let admission: AdmissionControl
    private let timer = LoopTimer()

    package init(sampler: CPUSampler, admission: AdmissionControl) {
        self.sampler = sampler
        self.admission = admission
    }

    package func start() {
        _ = sampler.sample(at: MediaLoop.now)
        timer.schedule(at: MediaLoop.now + Self.period, calling: self)
    }

    package func stop() { timer.cancel() }
}

extension CPUMonitor: Runtime.TimerHandler {
    package func timerFired(_ timer: LoopTimer, at now: Monotonic) {
        if let idle = sampler.sample(at: now) { admission.sampled(idle: idle) }
        timer.schedule(at: now + Self.period, calling: self)
    }
}

extension CPUSampler {
    /// Of the machine that this process runs on.
    package static func system(environment: [String: String]) -> CPUSampler {
        CPUSampler(request: environment["LIVEKIT_CPU_REQUEST"], read: Self.kernelText)
    }

    /// Files of /proc and /sys tell no size, so they are read to their end, or to what is certainly enough.
    package static func kernelText(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while text.count < 1 << 20 {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            text += buffer.prefix(count)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
