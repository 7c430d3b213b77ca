// Publishes from this browser through WHIP: camera, screen or a test picture, as one stream or as three layers.

import { $, HISTORY_SECONDS, LAYER_COLOURS, duration, element, plot, rate } from "./ui.js";
import { TestPicture } from "./picture.js";

const LAYERS = [["q", 4], ["h", 2], ["f", 1]];
const HELPERS = ["rtx", "red", "ulpfec", "flexfec-03"];

let publisher = null;
let history = [];

class Publisher {
  constructor(settings) {
    this.settings = settings;
    this.closed = false;
    this.last = new Map();
    this.candidates = [];
    this.trickling = Promise.resolve();
  }

  async start() {
    try {
      say("Waiting for the picture…");
      this.media = await this.open();
      if (this.closed) return this.release();
      $("preview").srcObject = this.media;
      say("Connecting…");
      await this.connect();
    } catch (error) {
      this.fail(error.name === "NotAllowedError" ? "The browser was not allowed to take the picture." : error.message);
    }
  }

  async open() {
    const { source, width, height } = this.settings;
    if (source === "test") {
      this.picture = new TestPicture(width, height);
      return this.picture.stream;
    }
    if (!navigator.mediaDevices) throw new Error("Browsers give camera and screen to pages from https:// or localhost only: open this page there, or take the test picture.");
    const video = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
    if (source === "screen") return navigator.mediaDevices.getDisplayMedia({ video, audio: true });
    try {
      return await navigator.mediaDevices.getUserMedia({ video, audio: true });
    } catch (error) {
      // A camera without a microphone is enough.
      if (error.name !== "NotFoundError") throw error;
      return navigator.mediaDevices.getUserMedia({ video });
    }
  }

  async connect() {
    const pc = this.pc = new RTCPeerConnection();
    pc.onconnectionstatechange = () => this.noteConnection();
    pc.onicecandidate = ({ candidate }) => candidate?.candidate && this.trickle(candidate);
    for (const track of this.media.getTracks()) {
      track.onended = () => this.close("Stopped: the source ended.");
      if (track.kind === "video") this.addVideo(track);
      else pc.addTransceiver(track, { direction: "sendonly" });
    }
    await pc.setLocalDescription(await pc.createOffer());
    const response = await fetch(`whip/${encodeURIComponent(this.settings.key)}`, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: pc.localDescription.sdp,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text || `The server answered ${response.status}.`);
    this.resource = response.headers.get("Location");
    this.tag = response.headers.get("ETag");
    if (this.closed) return this.remove();
    await pc.setRemoteDescription({ type: "answer", sdp: text });
    for (const candidate of this.candidates.splice(0)) this.trickle(candidate);
  }

  addVideo(track) {
    const { codec, simulcast } = this.settings;
    const layers = LAYERS.map(([rid, scaleResolutionDownBy]) => ({ rid, scaleResolutionDownBy, scalabilityMode: "L1T1" }));
    const options = { direction: "sendonly", streams: [this.media] };
    const transceiver = this.pc.addTransceiver(track, simulcast ? { ...options, sendEncodings: layers } : options);
    const known = RTCRtpSender.getCapabilities("video").codecs;
    const is = (entry, ...names) => names.includes(entry.mimeType.slice(6).toLowerCase());
    const chosen = known.filter((entry) => is(entry, codec.toLowerCase()));
    transceiver.setCodecPreferences?.([...chosen, ...known.filter((entry) => is(entry, ...HELPERS))]);
    if (this.settings.source !== "camera") this.keepSize(transceiver.sender);
  }

  // Letters have to stay legible: rather fewer pictures than smaller ones.
  keepSize(sender) {
    const parameters = { ...sender.getParameters(), degradationPreference: "maintain-resolution" };
    sender.setParameters(parameters).catch(() => {});
  }

  trickle(candidate) {
    if (!this.resource) return this.candidates.push(candidate);
    const sdp = this.pc.localDescription.sdp;
    const take = (pattern) => sdp.match(pattern)[0];
    const body = [take(/a=ice-ufrag:.*/), take(/a=ice-pwd:.*/), take(/m=.*/), take(/a=mid:.*/), `a=${candidate.candidate}`, ""].join("\r\n");
    this.trickling = this.trickling.then(() => this.resource && fetch(this.resource, {
      method: "PATCH",
      headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.tag },
      body,
    })).catch(() => {});
  }

  noteConnection() {
    if (this.closed) return;
    if (this.pc.connectionState === "connected") this.connectedAt ??= performance.now();
    if (this.pc.connectionState === "disconnected") say("The connection is interrupted…", "warn");
    if (this.pc.connectionState === "failed") this.fail("The connection to the server was lost.");
    if (this.pc.connectionState === "closed") this.fail("The server ended this publication: another encoder took the key, or the server stopped.");
  }

  async report() {
    if (this.closed || this.pc?.connectionState !== "connected") return;
    const entries = [...(await this.pc.getStats()).values()];
    const sent = entries.filter((entry) => entry.type === "outbound-rtp" && entry.kind === "video");
    const layers = {};
    for (const entry of sent) {
      const last = this.last.get(entry.id);
      this.last.set(entry.id, entry);
      const seconds = last ? (entry.timestamp - last.timestamp) / 1000 : 0;
      if (!(seconds > 0)) continue;
      layers[entry.rid ?? "f"] = {
        kbps: (entry.bytesSent - last.bytesSent) * 8 / 1000 / seconds,
        fps: ((entry.framesEncoded ?? 0) - (last.framesEncoded ?? 0)) / seconds,
      };
    }
    const told = entries.filter((entry) => entry.type === "remote-inbound-rtp" && entry.kind === "video");
    const pair = entries.find((entry) => entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded");
    const rtt = told.find((entry) => entry.roundTripTime !== undefined)?.roundTripTime ?? pair?.currentRoundTripTime ?? 0;
    history.push({ at: Date.now() / 1000, layers, rtt: rtt * 1000, loss: Math.max(0, ...told.map((entry) => entry.fractionLost ?? 0)) * 100 });
    while (history[0].at < Date.now() / 1000 - HISTORY_SECONDS) history.shift();
    const best = sent.reduce((a, b) => (b.frameWidth ?? 0) > (a?.frameWidth ?? 0) ? b : a, null);
    const size = best?.frameWidth ? ` · ${best.frameWidth}×${best.frameHeight}` : "";
    say(`On air · ${duration((performance.now() - this.connectedAt) / 1000)}${size}`, "live");
  }

  fail(message) { this.close(message, "bad"); }

  close(message = "Stopped.", mood = "") {
    if (this.closed) return;
    this.closed = true;
    this.remove();
    this.pc?.close();
    this.release();
    if (publisher !== this) return;
    publisher = null;
    say(message, mood);
    drawButton();
  }

  remove() {
    if (this.resource) fetch(this.resource, { method: "DELETE", keepalive: true }).catch(() => {});
    this.resource = null;
  }

  release() {
    this.picture?.stop();
    for (const track of this.media?.getTracks() ?? []) track.stop();
    $("preview").srcObject = null;
  }
}

// ---- Drawing ----

function say(text, mood = "") {
  $("publish-state").textContent = text;
  $("publish-state").className = `publish-state ${mood}`;
}

function drawButton() {
  const isOn = Boolean(publisher);
  $("publish-button").textContent = isOn ? "Stop" : "Start";
  $("publish-button").classList.toggle("stop", isOn);
  $("publish-settings").disabled = isOn;
  $("preview").hidden = !isOn;
}

function drawPlots() {
  $("publish-plots").hidden = history.length === 0;
  if (!history.length) return;
  const last = history.at(-1);
  const perLayer = (name) => LAYERS.map(([rid]) => ({
    colour: LAYER_COLOURS[rid],
    points: history.filter((then) => then.layers[rid]).map((then) => [then.at, then.layers[rid][name]]),
  }));
  const one = (colour, name) => [{ colour, points: history.map((then) => [then.at, then[name]]) }];
  const layers = Object.values(last.layers);
  plot("tx-kbps", perLayer("kbps"), "kbit/s");
  plot("tx-fps", perLayer("fps"), "fps");
  plot("tx-rtt", one("--full", "rtt"), "ms");
  plot("tx-loss", one("--p99", "loss"), "%");
  $("tx-kbps").textContent = rate(layers.reduce((sum, layer) => sum + layer.kbps, 0));
  $("tx-fps").textContent = `${Math.max(0, ...layers.map((layer) => layer.fps)).toFixed(0)} fps`;
  $("tx-rtt").textContent = `${last.rtt.toFixed(last.rtt < 10 ? 1 : 0)} ms`;
  $("tx-loss").textContent = `${last.loss.toFixed(1)} %`;
}

// ---- Interaction ----

const codecs = [...new Set(RTCRtpSender.getCapabilities("video").codecs.map((entry) => entry.mimeType.slice(6)))]
  .filter((name) => !HELPERS.includes(name.toLowerCase()));
$("publish-codec").replaceChildren(...codecs.map((name) => element("option", { value: name }, name)));
$("publish-codec").value = codecs.includes("H264") ? "H264" : codecs[0];

$("publish-form").onsubmit = (event) => {
  event.preventDefault();
  if (publisher) return publisher.close();
  const form = new FormData($("publish-form"));
  const [width, height] = form.get("size").split("x").map(Number);
  history = [];
  publisher = new Publisher({
    source: form.get("source"), key: form.get("key").trim(), codec: form.get("codec"), simulcast: form.has("simulcast"), width, height,
  });
  drawButton();
  drawPlots();
  publisher.start();
};

setInterval(async () => {
  await publisher?.report();
  drawPlots();
}, 1000);
addEventListener("pagehide", () => publisher?.close());
