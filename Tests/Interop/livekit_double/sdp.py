"""Reads the offer of a publisher and writes the answer in the shape livekit-server gives it: the fingerprint for the whole session, no
candidates (they are trickled), recvonly, and DTLS active."""
import re
import time

URI = "urn:ietf:params:rtp-hdrext:"
EXTENSIONS = {
    "audio": {f"{URI}sdes:mid", f"{URI}sdes:rtp-stream-id", f"{URI}ssrc-audio-level",
              "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"},
    "video": {f"{URI}sdes:mid", f"{URI}sdes:rtp-stream-id", f"{URI}sdes:repaired-rtp-stream-id",
              "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
              "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time", f"{URI}framemarking"},
}
CODECS = {"audio": {"opus"}, "video": {"h264", "vp8", "rtx"}}
FEEDBACK = {"transport-cc", "ccm fir", "nack", "nack pli"}


class Section:
    """One m-section of an offer."""

    def __init__(self, lines, session):
        self.lines = lines
        words = lines[0][2:].split()
        self.kind, self.protocol, self.payload_types = words[0], words[2], words[3:]
        self.session = session
        self.mid = self.one("mid")
        self.codecs = {m[1]: (m[2].lower(), m[0]) for line in self.all("rtpmap") if (m := re.match(r"(\d+) ([^/]+)/.*", line))}
        self.extensions = {int(line.split()[0].split("/")[0]): line.split()[1] for line in self.all("extmap")}
        self.rids = [line.split()[0] for line in self.all("rid") if line.split()[1] == "send"]
        self.ssrcs = list(dict.fromkeys(int(line.split()[0]) for line in self.all("ssrc")))
        self.msid = (self.one("msid") or "").split()
        self.sends = not ({"a=recvonly", "a=inactive"} & set(lines))

    def all(self, name):
        return [line[len(name) + 3:] for line in self.lines if line.startswith(f"a={name}:")]

    def one(self, name):
        """An attribute of the section, or of the session."""
        values = self.all(name) or [line[len(name) + 3:] for line in self.session if line.startswith(f"a={name}:")]
        return values[0] if values else None

    def format(self, payload_type):
        return next((line.split(" ", 1)[1] for line in self.all("fmtp") if line.split(" ", 1)[0] == payload_type), "")

    @property
    def accepted(self):
        """The payload types to answer with, in the order of the offer, rtx only with its codec."""
        names = {pt: self.codecs[pt][0] for pt in self.payload_types if pt in self.codecs and self.codecs[pt][0] in CODECS[self.kind]}
        return [pt for pt, name in names.items() if name != "rtx" or re.sub(r".*apt=", "", self.format(pt)) in names]

    def simulcast(self):
        line = self.one("simulcast")
        return re.sub(r"^send ", "", line) if line else None


class Offer:
    def __init__(self, text):
        parts = re.split(r"\r?\n(?=m=)", text.strip())
        self.session = re.split(r"\r?\n", parts[0])
        self.sections = [Section(re.split(r"\r?\n", part), self.session) for part in parts[1:]]
        first = self.sections[0]
        self.ufrag, self.pwd = first.one("ice-ufrag"), first.one("ice-pwd")
        self.fingerprint = first.one("fingerprint").split()
        self.setup = first.one("setup")
        self.candidates = [line for section in self.sections for line in section.all("candidate")]
        self.bundle = next((line[15:].split() for line in self.session if line.startswith("a=group:BUNDLE")), [])


def answer(offer, ufrag, pwd, fingerprints):
    lines = ["v=0", f"o=- {time.time_ns()} {int(time.time())} IN IP4 0.0.0.0", "s=-", "t=0 0", "a=msid-semantic:WMS *",
             *[f"a=fingerprint:{f.algorithm} {f.value}" for f in fingerprints if f.algorithm == "sha-256"],
             "a=group:BUNDLE " + " ".join(section.mid for section in offer.sections)]
    transport = ["c=IN IP4 0.0.0.0", "a=setup:active", None, f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{pwd}"]
    for section in offer.sections:
        transport[2] = f"a=mid:{section.mid}"
        if section.kind == "application":
            lines += [f"m=application 9 {section.protocol} webrtc-datachannel", *transport, "a=sendrecv", "a=sctp-port:5000"]
            continue
        accepted = section.accepted
        lines += [f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(accepted)}", *transport, "a=rtcp-mux", "a=rtcp-rsize"]
        for pt in accepted:
            lines.append(f"a=rtpmap:{section.codecs[pt][1]}")
            lines += [f"a=fmtp:{pt} {section.format(pt)}"] if section.format(pt) else []
            lines += [f"a=rtcp-fb:{line}" for line in section.all("rtcp-fb") if line.split(" ", 1)[0] == pt and line.split(" ", 1)[1] in FEEDBACK]
        lines += [f"a=extmap:{number} {uri}" for number, uri in section.extensions.items() if uri in EXTENSIONS[section.kind]]
        if section.rids and section.sends:
            lines += [f"a=rid:{rid} recv" for rid in section.rids]
            lines.append(f"a=simulcast:recv {section.simulcast() or ';'.join(section.rids)}")
        lines.append("a=recvonly" if section.sends else "a=inactive")
    return "\r\n".join(lines) + "\r\n"
