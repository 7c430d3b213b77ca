import SDP

extension WHIPConformance {
    /// Sections 4.2 and 4.4: what an answer has to be.
    static let answerRows: [ConformanceRow] = [
        ConformanceRow("4.2", "answer-sections", .must, "the answer has the offer's sections, in order") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let answer = try session.answer()
                let kinds = answer.media.map(\.kind.name)
                guard kinds == ["audio", "video"] else { throw .failed(kinds.joined(separator: ", ")) }
                let mids = answer.media.map { $0.mid ?? "none" }
                guard mids == ["0", "1"] else { throw .failed("mids " + mids.joined(separator: ", ")) }
                return kinds.joined(separator: ", ")
            }
        },
        ConformanceRow("4.2", "answer-recvonly", .must, "what is accepted is recvonly") { client throws(Finding) in
            try await client.acceptsAsRecvonly(ConformanceOffer())
        },
        ConformanceRow("4.2", "offer-sendrecv", .must, "a sendrecv offer is taken, and answered recvonly") {
            client throws(Finding) in
            var offer = ConformanceOffer()
            offer.direction = "sendrecv"
            return try await client.acceptsAsRecvonly(offer)
        },
        ConformanceRow("4.2", "offer-audio-only", .must, "an offer of sound alone is answered") {
            client throws(Finding) in
            var offer = ConformanceOffer()
            offer.videoSections = 0
            return try await client.acceptsAsRecvonly(offer)
        },
        ConformanceRow("4.2", "offer-video-only", .must, "an offer of pictures alone is answered") {
            client throws(Finding) in
            var offer = ConformanceOffer()
            offer.hasAudio = false
            return try await client.acceptsAsRecvonly(offer)
        },
        ConformanceRow("4.3.2", "answer-candidates", .must, "the answer has all candidates of the server") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let answer = try session.answer()
                let count = answer.media.reduce(0) { $0 + $1.candidates.count }
                guard count > 0 else { throw .failed("no candidate") }
                return "\(count) candidates"
            }
        },
        ConformanceRow("4.4.1", "answer-bundle", .must, "what is accepted stands in one BUNDLE group") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let answer = try session.answer()
                let accepted = answer.media.filter { !$0.isRejected }.compactMap(\.mid)
                let bundle = answer.bundle ?? []
                guard Set(bundle) == Set(accepted) else { throw .failed("BUNDLE " + bundle.joined(separator: " ")) }
                return "BUNDLE " + bundle.joined(separator: " ")
            }
        },
        ConformanceRow("4.4.1", "answer-rtcp-mux", .must, "RTP and RTCP share a port in all of it") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let answer = try session.answer()
                let lacking = answer.media.filter { !$0.isRejected && !$0.rtcpMux && !$0.rtcpMuxOnly }
                guard lacking.isEmpty else { throw .failed("rtcp-mux is missing \(lacking.count) times") }
                return "rtcp-mux"
            }
        },
        ConformanceRow("4.4.2", "two-videos", .must, "a second video track is taken, or the offer is 400 or 422") {
            client throws(Finding) in
            var offer = ConformanceOffer()
            offer.videoSections = 2
            return try await client.takesAllOrNothing(offer)
        },
        ConformanceRow("4.4.3", "all-or-nothing", .should, "no section is refused alone: 201 for all, or 400 or 422") {
            client throws(Finding) in
            var offer = ConformanceOffer()
            offer.hasUnknownCodec = true
            offer.videoSections = 0
            return try await client.takesAllOrNothing(offer)
        },
        ConformanceRow("4.4.4", "setup-actpass", .must, "actpass is answered with active or passive") {
            client throws(Finding) in
            try await client.withSession { session throws(Finding) in
                let answer = try session.answer()
                let setup = answer.media.first.flatMap { answer.transport(of: $0).setup }
                guard setup == .active || setup == .passive else {
                    throw .failed("setup: \(setup?.rawValue ?? "none")")
                }
                return "setup:\(setup?.rawValue ?? "")"
            }
        },
        ConformanceRow("4.4.4", "setup-active", .should, "active is answered with passive, or refused with 400 or 422")
        { client throws(Finding) in
            try await client.answersActive()
        },
        ConformanceRow("4.8", "simulcast", .must, "a simulcast offer's answer receives rids of the offer") {
            client throws(Finding) in
            try await client.answersSimulcast()
        },
    ]
}

extension ConformanceClient {
    fileprivate func acceptsAsRecvonly(_ offer: ConformanceOffer) async throws(Finding) -> String {
        try await withSession(offer) { session throws(Finding) in
            let answer = try session.answer()
            let accepted = answer.media.filter { !$0.isRejected }
            guard !accepted.isEmpty else { throw .failed("all sections are refused") }
            let directions = Set(accepted.map { answer.direction(of: $0).rawValue })
            guard directions == ["recvonly"] else { throw .failed(directions.sorted().joined(separator: ", ")) }
            return "\(accepted.count) recvonly"
        }
    }

    fileprivate func takesAllOrNothing(_ offer: ConformanceOffer) async throws(Finding) -> String {
        let (response, url, _) = try await post(newOffer(offer).text)
        await end(response, from: url)
        guard response.status == 201 else {
            guard response.status == 400 || response.status == 422 else { throw .failed(response.shown) }
            return response.shown
        }
        guard let answer = try? SessionDescription(parsing: response.body) else { throw .failed("no answer to read") }
        let refused = answer.media.count { $0.isRejected }
        guard refused == 0 else { throw .failed("201 that refuses \(refused) of \(answer.media.count) sections") }
        return "201 for all"
    }

    fileprivate func answersActive() async throws(Finding) -> String {
        var offer = ConformanceOffer()
        offer.setup = "active"
        let (response, url, _) = try await post(newOffer(offer).text)
        await end(response, from: url)
        guard response.status == 201 else {
            guard response.status == 400 || response.status == 422 else { throw .failed(response.shown) }
            return response.shown
        }
        guard let answer = try? SessionDescription(parsing: response.body), let first = answer.media.first else {
            throw .failed("no answer to read")
        }
        let setup = answer.transport(of: first).setup
        guard setup == .passive else { throw .failed("setup:\(setup?.rawValue ?? "none")") }
        return "setup:passive"
    }

    fileprivate func answersSimulcast() async throws(Finding) -> String {
        var offer = ConformanceOffer()
        offer.rids = ["h", "m", "l"]
        return try await withSession(offer) { session throws(Finding) in
            let answer = try session.answer()
            guard let video = answer.media.first(where: { $0.kind == .video && !$0.isRejected }),
                let simulcast = video.simulcast
            else { throw .notApplicable("answered without simulcast") }
            let rids = simulcast.receive.flatMap { $0.map(\.rid) }
            guard !rids.isEmpty, simulcast.send.isEmpty else { throw .failed("it does not receive") }
            guard Set(rids).isSubset(of: ["h", "m", "l"]) else { throw .failed(rids.joined(separator: ";")) }
            return "recv " + rids.joined(separator: ";")
        }
    }
}
