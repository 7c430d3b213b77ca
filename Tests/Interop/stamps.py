"""Pictures that carry their number and sound that beeps with every thirtieth of them, and viewers that note when each came.

A number stands in the top row of a picture as 16 squares, white for 1, the highest bit first, and once more in the bottom row with black
and white exchanged: a picture in which the two do not belong together was not decoded right.
"""
import contextlib
import pathlib
import statistics
import subprocess
import time

import av
import numpy
from aiortc import AudioStreamTrack, VideoStreamTrack

import web
from conftest import FFMPEG_OLD
from test_browser import open_browser
from whep import choose_layer
from whip import PeerPublisher, picture

BITS, WRAP, RATE = 16, 1 << 16, 30
BEEP = .08

SCRIPT = web.SCRIPT + """
if (!TestClient.stamped) {
  TestClient.stamped = true;
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  const plain = TestClient.tone;

  TestClient.picture = (width, height, rate = 30) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    const square = 48 * width / 1280;
    let count = -1;
    TestClient.drawn = {};
    const draw = () => {
      count += 1;
      for (let x = 0; x < 16; x += 1) for (let y = 0; y < 9; y += 1) {
        context.fillStyle = `hsl(${(x * 22 + y * 40 + count * 2) % 360} 60% ${30 + (x * y + count) % 40}%)`;
        context.fillRect(x * width / 16, y * height / 9, width / 16, height / 9);
      }
      for (let bit = 0; bit < 16; bit += 1) {
        const set = count >> (15 - bit) & 1;
        context.fillStyle = set ? '#fff' : '#000';
        context.fillRect(bit * square, 0, square, square);
        context.fillStyle = set ? '#000' : '#fff';
        context.fillRect(bit * square, height - square, square, square);
      }
      if (count % 30 == 0) TestClient.beep?.();
      TestClient.drawn[count & 65535] = now();
    };
    draw();
    const clock = new Worker(URL.createObjectURL(new Blob([`setInterval(() => postMessage(0), ${1000 / rate})`])));
    clock.onmessage = draw;
    return canvas.captureStream(rate).getVideoTracks()[0];
  };

  TestClient.tone = () => {
    const audio = new AudioContext({ sampleRate: 48000 });
    const out = audio.createMediaStreamDestination();
    const volume = new GainNode(audio, { gain: 0 });
    const oscillator = new OscillatorNode(audio, { frequency: 440 });
    oscillator.connect(volume).connect(out);
    oscillator.start();
    audio.resume();
    TestClient.beep = () => {
      volume.gain.setValueAtTime(.5, audio.currentTime);
      volume.gain.setValueAtTime(0, audio.currentTime + .08);
    };
    return out.stream.getAudioTracks()[0];
  };

  // A number and whether it stands in both places; null for a picture that is none of ours.
  const number = async (frame) => {
    const { x, y, width, height } = frame.visibleRect;
    const square = 48 * width / 1280;
    const row = async (top) => {
      const rect = { x, y: y + (top & ~1), width, height: 2 };
      const bytes = new Uint8Array(frame.allocationSize({ rect }));
      const layout = await frame.copyTo(bytes, { rect });
      let value = 0;
      for (let bit = 0; bit < 16; bit += 1) value = value * 2 + (bytes[layout[0].offset + Math.floor((bit + .5) * square)] > 125 ? 1 : 0);
      return value;
    };
    const value = await row(square / 2);
    return [value, value === 65535 - await row(height - square / 2)];
  };

  const each = async (track, use) => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const at = now();
      try { await use(value, at); } finally { value.close(); }
    }
  };

  // A restart of ICE by PATCH (RFC 9725 section 4.3.3) as soon as the connection is in doubt, as good publishers do.
  TestClient.prototype.restartWhenLost = async function () {
    const pc = this.pc;
    pc.addEventListener('iceconnectionstatechange', async () => {
      if (pc.iceConnectionState !== 'disconnected') return;
      pc.restartIce();
      await pc.setLocalDescription(await pc.createOffer());
      await new Promise((done) => setTimeout(done, 300));
      const sdp = pc.localDescription.sdp;
      const line = (name, text) => text.match(new RegExp(`a=${name}:.*`))[0].trim();
      const fragment = [line('ice-ufrag', sdp), line('ice-pwd', sdp), sdp.match(/m=.*/)[0].trim(), line('mid', sdp),
                        ...(sdp.match(/a=candidate:.*/g) ?? []).map((text) => text.trim()), ''].join('\\r\\n');
      const response = await fetch(this.resource, {
        method: 'PATCH', headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' }, body: fragment });
      const text = await response.text();
      const answer = this.answer.replace(/a=ice-ufrag:.*/g, line('ice-ufrag', text)).replace(/a=ice-pwd:.*/g, line('ice-pwd', text));
      await pc.setRemoteDescription({ type: 'answer', sdp: answer });
    });
  };

  // "udp" or "tcp": how the pair of candidates that is in use carries packets.
  TestClient.prototype.path = async function () {
    const stats = await this.pc.getStats();
    const transport = [...stats.values()].find((entry) => entry.type === 'transport');
    return stats.get(stats.get(transport.selectedCandidatePairId)?.localCandidateId)?.protocol;
  };

  // Notes [time, number, is right] and [time, width, height] of each picture, when sound is loud, and when beeps begin.
  TestClient.prototype.observe = async function () {
    const [pictures, sizes, heard, beeps, errors] = [this.pictures, this.sizes, this.heard, this.beeps, this.errors] = [[], [], [], [], []];
    let loud = 0;
    for (const track of this.video.srcObject.getTracks()) {
      each(track, track.kind === 'video' ? async (frame, at) => {
        sizes.push([at, frame.visibleRect.width, frame.visibleRect.height]);
        pictures.push([at, ...await number(frame)]);
      } : (data, at) => {
        const samples = new Float32Array(data.numberOfFrames);
        data.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
        if (Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length) < .05) return;
        heard.push(at);
        if (at - loud > .3) beeps.push(at);
        loud = at;
      }).catch((error) => errors.push(String(error)));
    }
  };
}
"""


class Browser:
    """Chromium, or what else is opened, on a page that does nothing itself; in one of a path's namespaces if given."""

    def __init__(self, namespace=contextlib.nullcontext(), opened=open_browser):
        self.namespace = namespace
        with namespace:
            self.driver = opened()
            self.driver.set_script_timeout(60)

    def get(self, url):
        with self.namespace:
            self.driver.get(url)

    def execute_script(self, *arguments):
        with self.namespace:
            return self.driver.execute_script(*arguments)

    def execute_async_script(self, script, *arguments):
        with self.namespace:
            return self.driver.execute_async_script(script.replace(web.SCRIPT, SCRIPT), *arguments)

    def quit(self):
        with self.namespace:
            self.driver.quit()


class Observer:
    """Watches over WHEP in a browser on the server's side."""

    def __init__(self, browser, url):
        self.client = web.WebClient(browser, f"viewer{time.monotonic_ns()}")
        self.client.watch(url)
        self.client.call("observe")

    @property
    def pictures(self):
        """[time, number, is right] of each so far."""
        return self.client.read("pictures")

    @property
    def sizes(self):
        """[time, width, height] of each."""
        return self.client.read("sizes")

    @property
    def heard(self):
        """Times at which sound was loud."""
        return self.client.read("heard")

    @property
    def beeps(self):
        return self.client.read("beeps")

    @property
    def errors(self):
        return self.client.read("errors")

    @property
    def has_layers(self):
        return True

    def layer(self, name):
        choose_layer(self.client.read("resource"), name)

    def end(self):
        self.client.end()


class Viewing:
    """What an observer saw from `begin` to `end`; `drawn` tells when each number was made, if that is known."""

    def __init__(self, pictures, beeps, begin, end, drawn=None, length=WRAP):
        self.begin, self.end = begin, end
        self.all = [one for one in unwrap(pictures, length) if begin <= one[0] < end]
        self.pictures = [(at, number) for at, number, right in self.all if right]
        self.beeps = [at for at in beeps if begin <= at < end]
        self.drawn = drawn

    @property
    def corrupt(self):
        return sum(not right for _, _, right in self.all)

    @property
    def backward(self):
        return sum(after[1] < before[1] for before, after in zip(self.pictures, self.pictures[1:]))

    @property
    def numbers(self):
        return {number for _, number in self.pictures}

    @property
    def missing(self):
        """Numbers between the first and the last that were not seen."""
        return max(self.numbers) - min(self.numbers) + 1 - len(self.numbers) if self.pictures else 0

    def gaps(self, longer=.2):
        """(when, length) of times without a picture."""
        times = [self.begin, *(at for at, _ in self.pictures), self.end]
        return [(before, after - before) for before, after in zip(times, times[1:]) if after - before > longer]

    @property
    def frozen(self):
        """Seconds beyond 0.2 that a picture stood."""
        return sum(length - .2 for _, length in self.gaps())

    @property
    def longest_gap(self):
        return max((length for _, length in self.gaps(0)), default=self.end - self.begin)

    def first_after(self, when):
        """Seconds from then until the first picture."""
        return next((at - when for at, _ in self.pictures if at >= when), float("nan"))

    @property
    def delays(self):
        """Of each picture in seconds; only their differences tell something where the time of drawing is unknown."""
        if self.drawn:
            return [at - self.drawn[number % WRAP] for at, number in self.pictures if number % WRAP in self.drawn]
        values = [at - number / RATE for at, number in self.pictures]
        return [value - min(values) for value in values]

    @property
    def sound_lead(self):
        """For each beep how many seconds before its picture it was heard."""
        shown = {}
        for at, number in self.pictures:
            shown.setdefault(number, at)
        times = [at for number, at in shown.items() if number % RATE == 0]
        leads = [min((at - beep for at in times), key=abs) for beep in self.beeps] if times else []
        return [lead for lead in leads if abs(lead) < .5]

    @property
    def drift(self):
        """How much earlier sound is heard at the end than at the beginning, in seconds."""
        leads = self.sound_lead
        part = max(len(leads) // 3, 1)
        return statistics.median(leads[-part:]) - statistics.median(leads[:part]) if len(leads) > 5 else float("nan")


def unwrap(pictures, length):
    """With numbers that go on where a clip began anew, or 16 bits did."""
    last, result = None, []
    for at, number, right in pictures:
        if right and last is not None:
            number += (last - number + length // 2) // length * length
        if right:
            last = number
        result.append((at, number, right))
    return result


# ---- Sources ----


def stamp(luma, number):
    """Writes a number into a picture's luma."""
    height, width = luma.shape
    square = 48 * width // 1280
    for bit in range(BITS):
        set_ = number >> (BITS - 1 - bit) & 1
        luma[:square, bit * square:(bit + 1) * square] = 235 if set_ else 16
        luma[height - square:, bit * square:(bit + 1) * square] = 16 if set_ else 235


def stamped(width, height, number):
    data = picture(width, height, number).to_ndarray()
    stamp(data[:height], number % WRAP)
    return av.VideoFrame.from_ndarray(data, format="yuv420p")


def make_clip(path, seconds, size=(640, 360), kbps=1_000, sound="libopus"):
    """H.264 without B-frames, a key frame every two seconds, and sound."""
    width, height = size
    beeps = f"sine=frequency=440:sample_rate=48000,volume=2:eval=once,volume='lt(mod(t,1),{BEEP})':eval=frame"
    writer = subprocess.Popen(
        [FFMPEG_OLD, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", "-r", str(RATE), "-i", "-",
         "-f", "lavfi", "-i", beeps, "-t", str(seconds), "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-tune", "zerolatency",
         "-g", str(2 * RATE), "-b:v", f"{kbps}k", "-maxrate", f"{kbps}k", "-bufsize", f"{kbps // 2}k", "-c:a", sound, "-ar", "48000", "-ac", "2", str(path)],
        stdin=subprocess.PIPE)
    for number in range(int(seconds * RATE)):
        writer.stdin.write(stamped(width, height, number).to_ndarray().tobytes())
    writer.stdin.close()
    assert writer.wait() == 0, "the clip could not be made"
    return pathlib.Path(path)


class StampedPicture(VideoStreamTrack):
    """For aiortc. `drawn` has the time of each number."""

    def __init__(self, width, height):
        super().__init__()
        self.width, self.height = width, height
        self.count, self.drawn = 0, {}

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = stamped(self.width, self.height, self.count)
        frame.pts, frame.time_base = pts, time_base
        self.drawn[self.count % WRAP] = time.time()
        self.count += 1
        return frame


class Beeps(AudioStreamTrack):
    """A beep each second from the first sample on."""

    async def recv(self):
        frame = await super().recv()
        at = numpy.arange(frame.samples) + frame.pts
        wave = numpy.sin(at * 2 * numpy.pi * 400 / frame.sample_rate) * 12_000 * (at % frame.sample_rate < BEEP * frame.sample_rate)
        frame.planes[0].update(wave.astype(numpy.int16).tobytes())
        return frame


class StampedPeer(PeerPublisher):
    PICTURE, SOUND = StampedPicture, Beeps
