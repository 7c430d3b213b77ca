"""Publishing and watching by script in a real browser, whichever it is: Selenium's or our own driver of Firefox."""
from conftest import until

SCRIPT = """
window.TestClient ??= class {
  // A picture that moves and a tone, without devices.
  static picture(width, height, rate = 30) {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    let count = 0;
    const draw = () => {
      count += 1;
      for (let x = 0; x < 16; x += 1) for (let y = 0; y < 9; y += 1) {
        context.fillStyle = `hsl(${(x * 22 + y * 40 + count * 2) % 360} 60% ${30 + (x * y + count) % 40}%)`;
        context.fillRect(x * width / 16, y * height / 9, width / 16, height / 9);
      }
      context.fillStyle = '#fff';
      context.fillRect(count * 7 % width, height / 3, width / 12, height / 4);
      context.font = `${height / 5}px monospace`;
      context.fillText(String(count), width / 10, height * .8);
    };
    draw();
    const clock = new Worker(URL.createObjectURL(new Blob([`setInterval(() => postMessage(0), ${1000 / rate})`])));
    clock.onmessage = draw;
    return canvas.captureStream(rate).getVideoTracks()[0];
  }

  static tone(channels) {
    const audio = new AudioContext({ sampleRate: 48000 });
    const out = audio.createMediaStreamDestination();
    out.channelCount = channels;
    const merger = audio.createChannelMerger(channels);
    for (let index = 0; index < channels; index += 1) {
      const oscillator = new OscillatorNode(audio, { frequency: 440 * (index + 1) });
      const volume = new GainNode(audio, { gain: .2 });
      oscillator.connect(volume).connect(merger, 0, index);
      oscillator.start();
    }
    merger.connect(out);
    audio.resume();
    return out.stream.getAudioTracks()[0];
  }

  async publish(url, { codec, encodings, width, height, sound = 'opus', channels = 1, edit = '' }) {
    const pc = this.pc = new RTCPeerConnection();
    const video = TestClient.picture(width, height);
    const stream = new MediaStream([video]);
    const options = { direction: 'sendonly', streams: [stream] };
    if (encodings) options.sendEncodings = encodings;
    const transceiver = pc.addTransceiver(video, options);
    const known = RTCRtpSender.getCapabilities('video').codecs;
    const is = (entry, ...names) => names.includes(entry.mimeType.slice(6).toLowerCase());
    const chosen = known.filter((entry) => is(entry, codec.toLowerCase()));
    if (!chosen.length) throw new Error(`no ${codec} here`);
    transceiver.setCodecPreferences([...chosen, ...known.filter((entry) => is(entry, 'rtx', 'red', 'ulpfec'))]);
    const audio = pc.addTransceiver(await TestClient.tone(channels), { direction: 'sendonly', streams: [stream] });
    const sounds = RTCRtpSender.getCapabilities('audio').codecs;
    audio.setCodecPreferences([...sounds.filter((entry) => is(entry, sound)), ...sounds.filter((entry) => is(entry, 'opus') && sound === 'red')]);
    this.sender = transceiver.sender;
    await this.exchange(url, edit);
    const parameters = this.sender.getParameters();
    parameters.degradationPreference = 'maintain-resolution';
    await this.sender.setParameters(parameters).catch(() => {});
  }

  async watch(url, understandsLayers) {
    const pc = this.pc = new RTCPeerConnection();
    const transceiver = pc.addTransceiver('video', { direction: 'recvonly' });
    if (understandsLayers) {
      // Browsers know dependency descriptors, and offer to receive them only when told so.
      const extensions = transceiver.getHeaderExtensionsToNegotiate();
      for (const extension of extensions) if (extension.uri.includes('dependency-descriptor')) extension.direction = 'sendrecv';
      transceiver.setHeaderExtensionsToNegotiate(extensions);
    }
    pc.addTransceiver('audio', { direction: 'recvonly' });
    const stream = new MediaStream();
    pc.ontrack = ({ track }) => stream.addTrack(track);
    const video = this.video = document.body.appendChild(document.createElement('video'));
    Object.assign(video, { muted: true, autoplay: true, srcObject: stream });
    await this.exchange(url, '');
    video.play().catch(() => {});
  }

  async exchange(url, edit) {
    const pc = this.pc;
    const gathered = new Promise((done) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && done()));
    let offer = await pc.createOffer();
    if (edit) offer = { type: 'offer', sdp: new Function('sdp', edit)(offer.sdp) };
    await pc.setLocalDescription(offer);
    await Promise.race([gathered, new Promise((done) => setTimeout(done, 2000))]);
    const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: pc.localDescription.sdp });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${text}`);
    this.resource = new URL(response.headers.get('Location'), url).href;
    this.offer = pc.localDescription.sdp;
    this.answer = text;
    await pc.setRemoteDescription({ type: 'answer', sdp: text });
  }

  async stats() {
    const entries = [...(await this.pc.getStats()).values()];
    return entries.filter((entry) => ['outbound-rtp', 'inbound-rtp', 'candidate-pair', 'codec', 'remote-inbound-rtp'].includes(entry.type));
  }

  async end() {
    await fetch(this.resource, { method: 'DELETE' });
    this.pc.close();
  }
};
window.clients ??= {};
"""

CALL = SCRIPT + """
const [name, method, ...rest] = arguments;
const done = rest.pop();
const client = window.clients[name] ??= new TestClient();
client[method](...rest[0]).then((value) => done({ value: value ?? null }), (error) => done({ error: String(error) }));
"""


class WebClient:
    """A publisher or a viewer on the page that the browser shows now."""

    def __init__(self, browser, name):
        self.browser, self.name = browser, name

    def call(self, method, *arguments):
        result = self.browser.execute_async_script(CALL, self.name, method, list(arguments))
        assert "error" not in result, f"{method}: {result['error']}"
        return result["value"]

    def publish(self, url, codec, size=(640, 360), **options):
        self.call("publish", url, {"codec": codec, "width": size[0], "height": size[1], **options})
        return self

    def watch(self, url, understands_layers=False):
        self.call("watch", url, understands_layers)
        return self

    def end(self):
        self.call("end")

    def read(self, field):
        return self.browser.execute_script(f"return window.clients['{self.name}'].{field}")

    def stats(self, kind, media):
        return [entry for entry in self.call("stats") if entry["type"] == kind and entry.get("kind") == media]

    @property
    def sent(self):
        """The layers that are encoded, smallest first."""
        return sorted(self.stats("outbound-rtp", "video"), key=lambda entry: entry.get("frameWidth", 0))

    @property
    def seen(self):
        entries = self.stats("inbound-rtp", "video")
        return entries[0] if entries else {}

    @property
    def heard(self):
        entries = self.stats("inbound-rtp", "audio")
        return entries[0] if entries else {}

    def plays(self, size, seconds=30):
        return until(lambda: ((seen := self.seen).get("frameWidth"), seen.get("frameHeight")) == size and seen.get("framesDecoded", 0) > 0,
                     seconds, lambda: f"{self.name}: {self.seen}")
