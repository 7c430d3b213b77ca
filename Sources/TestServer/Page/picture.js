// A camera for those who have none: a picture that moves, with a clock in it, and a tone that beeps with its flash.

const FRAME_RATE = 30;

export class TestPicture {
  constructor(width, height) {
    this.canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.frames = 0;
    this.draw();
    this.stream = new MediaStream([this.openVideo(), this.openSound()]);
    // A worker's clock goes on at full pace while its page is in the background.
    this.clock = new Worker(URL.createObjectURL(new Blob([`setInterval(() => postMessage(0), ${1000 / FRAME_RATE})`])));
    this.clock.onmessage = () => this.tick();
  }

  openVideo() {
    if (!window.MediaStreamTrackGenerator) return this.canvas.captureStream(FRAME_RATE).getVideoTracks()[0];
    // Unlike a canvas's own stream, this one does not stop when the page is hidden.
    const track = new MediaStreamTrackGenerator({ kind: "video" });
    this.writer = track.writable.getWriter();
    return track;
  }

  openSound() {
    this.audio = new AudioContext();
    const out = this.audio.createMediaStreamDestination();
    const voice = (frequency, gain) => {
      const oscillator = new OscillatorNode(this.audio, { frequency });
      const volume = new GainNode(this.audio, { gain });
      oscillator.connect(volume).connect(out);
      oscillator.start();
      return volume.gain;
    };
    voice(440, .06);
    this.beep = voice(880, 0);
    this.audio.resume();
    return out.stream.getAudioTracks()[0];
  }

  tick() {
    this.draw();
    if (!this.writer || this.writer.desiredSize <= 0) return;
    const frame = new VideoFrame(this.canvas, { timestamp: performance.now() * 1000 });
    this.writer.write(frame).catch(() => frame.close());
  }

  draw() {
    const { context, canvas: { width, height } } = this;
    const now = new Date();
    const second = now.getMilliseconds() / 1000;
    const flashes = second < .1;
    if (this.beep && flashes !== this.flashed) this.beep.setTargetAtTime(flashes ? .25 : 0, 0, .003);
    this.flashed = flashes;
    const hue = now.getTime() / 100 % 360;
    const shade = context.createLinearGradient(0, 0, width, height);
    shade.addColorStop(0, `hsl(${hue} 45% 20%)`);
    shade.addColorStop(1, `hsl(${(hue + 70) % 360} 55% 38%)`);
    context.fillStyle = shade;
    context.fillRect(0, 0, width, height);
    const bar = width / 8;
    for (let index = -1; index < 8; index++) {
      context.fillStyle = `hsl(${index * 45 + 45} 70% 55% / .55)`;
      context.fillRect(index * bar + second * bar, height * .78, bar * .5, height * .22);
    }
    const angle = now.getTime() / 1000 * Math.PI;
    context.fillStyle = flashes ? "#fff" : "#ffd36b";
    context.beginPath();
    context.arc(width * (.5 + .36 * Math.cos(angle)), height * (.4 + .26 * Math.sin(angle)), height * .06, 0, 7);
    context.fill();
    context.textAlign = "center";
    context.fillStyle = "#fff";
    context.font = `600 ${Math.round(height * .13)}px ui-monospace, Menlo, Consolas, monospace`;
    context.fillText(`${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, "0")}`, width / 2, height * .46);
    context.font = `${Math.round(height * .05)}px ui-monospace, Menlo, Consolas, monospace`;
    context.fillText(`${width}×${height} · frame ${this.frames++}`, width / 2, height * .58);
  }

  stop() {
    this.clock.terminate();
    this.audio.close();
    this.writer?.close().catch(() => {});
  }
}
