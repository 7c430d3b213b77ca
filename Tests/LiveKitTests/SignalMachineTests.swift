import Bytes
import LiveKit
import LiveKitProtocol
import Testing

@Suite struct SignalMachineTests {
    @Test("start dials once with the token")
    func start() throws {
        var fixture = try SignalFixture()
        fixture.machine.start(at: fixture.now)
        fixture.machine.start(at: fixture.now)
        let join = try RoomAddress("ws://h:7880").join
        let commands1 = fixture.commands()
        #expect(commands1 == [.openSocket(url: join, token: "first")])
        #expect(fixture.machine.nextDeadline == fixture.now + .seconds(5))
    }

    @Test(
        "a join names room and participant, sets attributes, and asks for a peer connection with the server's servers")
    func join() throws {
        var fixture = try SignalFixture(attributes: ["ingress.resourceID": "RT_x"])
        try fixture.join()
        let events2 = fixture.events()
        #expect(events2 == [.joined(roomSID: "RM_1", participantSID: "PA_1")])
        let commands = fixture.commands()
        #expect(commands.count == 3)
        var message = Livekit_UpdateParticipantMetadata()
        message.attributes = ["ingress.resourceID": "RT_x"]
        var request = Livekit_SignalRequest()
        request.updateMetadata = message
        #expect(commands[1] == .send(request.wireBytes()))
        let servers = SignalMachine.MediaServers(iceServers: SignalFixture.joined().iceServers, forcesRelay: false)
        #expect(commands[2] == .createPeer(servers))
        #expect(fixture.machine.nextDeadline == nil)
    }

    @Test("the room's sid may come later")
    func lateRoom() throws {
        var fixture = try SignalFixture()
        fixture.machine.start(at: fixture.now)
        fixture.machine.socketOpened(at: fixture.now)
        var join = SignalFixture.joined()
        join.room.sid = ""
        fixture.receive(.join(join))
        let events3 = fixture.events()
        #expect(events3 == [.joined(roomSID: "", participantSID: "PA_1")])
        var update = Livekit_RoomUpdate()
        update.room.sid = "RM_2"
        fixture.receive(.roomUpdate(update))
        fixture.receive(.roomUpdate(update))
        let events4 = fixture.events()
        #expect(events4 == [.roomIdentified(sid: "RM_2")])
    }

    @Test("tracks wait for the join, are asked for once each, and are told of when published")
    func publish() throws {
        var fixture = try SignalFixture()
        fixture.machine.publish(SignalFixture.audio, at: fixture.now)
        try fixture.join()
        let requests5 = try fixture.sent()
        #expect(requests5 == [.addTrack(SignalFixture.audio)])
        fixture.machine.publish(SignalFixture.video, at: fixture.now)
        fixture.machine.publish(SignalFixture.video, at: fixture.now)
        let requests6 = try fixture.sent()
        #expect(requests6 == [.addTrack(SignalFixture.video)])
        _ = fixture.events()
        let published = SignalFixture.published("IN_1", sid: "TR_V")
        fixture.receive(.trackPublished(published))
        let events7 = fixture.events()
        #expect(events7 == [.trackPublished(cid: "IN_1", published.track)])
        #expect(fixture.machine.sid(ofTrack: "IN_1") == "TR_V")
        #expect(fixture.machine.sid(ofTrack: "audio") == nil)
    }

    @Test("one offer at a time; an answer to another is dropped, one without a number counts")
    func offers() throws {
        var fixture = try SignalFixture()
        let sendsEarly = fixture.machine.sendOffer(sdp: "early", at: fixture.now)
        #expect(!sendsEarly)
        try fixture.join()
        fixture.drain()
        let sends = fixture.machine.sendOffer(sdp: "one", at: fixture.now)
        #expect(sends)
        let sendsTwo = fixture.machine.sendOffer(sdp: "two", at: fixture.now)
        #expect(!sendsTwo)
        guard case .offer(let offer)? = try fixture.sent().first else {
            Issue.record("no offer")
            return
        }
        #expect(offer.id == 1 && offer.type == "offer" && offer.sdp == "one")
        fixture.receive(.answer(SignalFixture.answer(id: 7)))
        let commands8 = fixture.commands()
        #expect(commands8 == [])
        fixture.receive(.answer(SignalFixture.answer(id: 1)))
        let commands9 = fixture.commands()
        #expect(commands9 == [.applyAnswer(sdp: "answer 1")])
        fixture.receive(.answer(SignalFixture.answer(id: 1)))
        let commands10 = fixture.commands()
        #expect(commands10 == [])
        fixture.machine.sendOffer(sdp: "two", at: fixture.now)
        fixture.drain()
        fixture.receive(.answer(SignalFixture.answer(id: 0)))
        let commands11 = fixture.commands()
        #expect(commands11 == [.applyAnswer(sdp: "answer 0")])
    }

    @Test("candidates wait for the answer, which comes first; ours follow the offer")
    func candidates() throws {
        var fixture = try SignalFixture()
        try fixture.join()
        fixture.machine.sendCandidate(CandidateInit(candidate: "early"))
        fixture.machine.sendOffer(sdp: "one", at: fixture.now)
        fixture.drain()
        fixture.machine.sendCandidate(CandidateInit(candidate: "ours", mid: "0"))
        fixture.machine.sendCandidate(nil)
        let sent = try fixture.sent()
        guard case .trickle(let ours)? = sent.first, case .trickle(let last)? = sent.last, sent.count == 2 else {
            Issue.record("no candidates")
            return
        }
        #expect(try CandidateInit(parsing: ours.candidateInit) == CandidateInit(candidate: "ours", mid: "0"))
        #expect(!ours.final && last.final)
        fixture.receive(.trickle(SignalFixture.trickle("theirs")))
        var other = SignalFixture.trickle("subscriber's")
        other.target = .subscriber
        fixture.receive(.trickle(other))
        other.target = .publisher
        other.candidateInit = "{"
        fixture.receive(.trickle(other))
        fixture.receive(.trickle(SignalFixture.trickle("")))
        let commands12 = fixture.commands()
        #expect(commands12 == [])
        fixture.receive(.answer(SignalFixture.answer(id: 1)))
        let theirs = SignalMachine.Command.addRemoteCandidate(CandidateInit(candidate: "theirs"))
        let commands13 = fixture.commands()
        #expect(commands13 == [.applyAnswer(sdp: "answer 1"), theirs])
        fixture.receive(.trickle(SignalFixture.trickle("theirs")))
        let commands14 = fixture.commands()
        #expect(commands14 == [theirs])
    }

    @Test("candidates that wait are bounded")
    func candidateBound() throws {
        var fixture = try SignalFixture()
        try fixture.join()
        fixture.machine.sendOffer(sdp: "one", at: fixture.now)
        for _ in 0..<200 { fixture.receive(.trickle(SignalFixture.trickle("c"))) }
        fixture.drain()
        fixture.receive(.answer(SignalFixture.answer(id: 1)))
        let commands15 = fixture.commands()
        #expect(commands15.count == 1 + SignalMachine.Limits.pendingCandidates)
    }

    @Test("what the server says of tracks reaches the driver by their cids; unknown sids are passed over")
    func tracks() throws {
        var fixture = try SignalFixture.connected()
        var mute = Livekit_MuteTrackRequest()
        mute.sid = "TR_A"
        mute.muted = true
        fixture.receive(.mute(mute))
        fixture.receive(.mute(mute))
        mute.muted = false
        fixture.receive(.mute(mute))
        var update = Livekit_SubscribedQualityUpdate()
        update.trackSid = "TR_A"
        fixture.receive(.subscribedQualityUpdate(update))
        update.trackSid = ""
        fixture.receive(.subscribedQualityUpdate(update))
        var gone = Livekit_TrackUnpublishedResponse()
        gone.trackSid = "TR_B"
        fixture.receive(.trackUnpublished(gone))
        gone.trackSid = "TR_A"
        fixture.receive(.trackUnpublished(gone))
        let events22 = fixture.events()
        #expect(
            events22 == [
                .muted(cid: "audio", true), .muted(cid: "audio", false), .qualities(cid: "audio", .none),
                .trackUnpublished(cid: "audio"),
            ])
    }

    @Test("a refused track ends the session with its name; a queued one does not")
    func refusedTrack() throws {
        var fixture = try SignalFixture()
        fixture.machine.publish(SignalFixture.audio, at: fixture.now)
        try fixture.join()
        fixture.drain()
        var response = Livekit_RequestResponse()
        response.addTrack = SignalFixture.audio
        response.reason = .queued
        fixture.receive(.requestResponse(response))
        let events16 = fixture.events()
        #expect(events16 == [])
        response.reason = .notAllowed
        response.message = "no permission"
        fixture.receive(.requestResponse(response))
        let end = fixture.events().end
        #expect(end?.isRetryable == false)
        #expect(end?.text == "room disconnected: the track \"sound\" was refused: no permission")
        let requests17 = try fixture.sent()
        #expect(requests17.count == 1)
    }

    @Test("a codec that the room does not allow is final")
    func codecs() throws {
        var fixture = try SignalFixture()
        fixture.machine.start(at: fixture.now)
        fixture.machine.socketOpened(at: fixture.now)
        var join = SignalFixture.joined()
        var codec = Livekit_Codec()
        codec.mime = "video/vp8"
        join.enabledPublishCodecs = [codec]
        fixture.receive(.join(join))
        fixture.machine.publish(SignalFixture.audio, at: fixture.now)
        #expect(fixture.machine.state == .joined)
        fixture.machine.publish(SignalFixture.video, at: fixture.now)
        let events18 = fixture.events()
        #expect(events18.end?.text == "could not join the room: the room does not allow video/H264")
    }

    @Test("attributes that are refused are told of; the participant's state is told once")
    func participant() throws {
        var fixture = try SignalFixture.connected()
        var response = Livekit_RequestResponse()
        response.reason = .limitExceeded
        response.updateMetadata = Livekit_UpdateParticipantMetadata()
        fixture.receive(.requestResponse(response))
        var update = Livekit_ParticipantUpdate()
        var own = Livekit_ParticipantInfo()
        own.sid = "PA_1"
        own.state = .active
        var other = own
        other.sid = "PA_2"
        update.participants = [other]
        fixture.receive(.update(update))
        let events19 = fixture.events()
        #expect(events19 == [.attributesRefused("limitExceeded")])
        update.participants = [other, own]
        fixture.receive(.update(update))
        fixture.receive(.update(update))
        let events20 = fixture.events()
        #expect(events20 == [.active])
    }

    @Test("leaving says goodbye first and is the end")
    func close() throws {
        var fixture = try SignalFixture.connected()
        fixture.machine.close()
        fixture.machine.close()
        let commands = fixture.commands()
        var leave = Livekit_SignalRequest()
        leave.leave.reason = .clientInitiated
        #expect(commands == [.send(leave.wireBytes()), .closeSocket])
        #expect(leave.wireBytes() == [0x42, 0x02, 0x10, 0x01])
        let events21 = fixture.events()
        #expect(events21 == [.ended(.left)])
        #expect(fixture.machine.nextDeadline == nil)
    }

    @Test("any byte string as a message is survived")
    func garbage() throws {
        for byte in UInt8.min ... .max {
            var fixture = try SignalFixture.connected()
            fixture.machine.socketReceived([byte, 0x01, byte], at: fixture.now)
            fixture.drain()
            #expect(fixture.machine.state != .ended)
        }
    }
}
