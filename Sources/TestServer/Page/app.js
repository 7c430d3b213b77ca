// The page of the test server: lists the live streams, plays one through WHEP, and plots what the server says of it.

import { $, HISTORY_SECONDS, LAYER_COLOURS, LAYER_NAMES, colour, duration, element, plot, rate, toast } from "./ui.js";
import "./publish.js";

const firefoxOnLoopback = navigator.userAgent.includes("Firefox") && ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

const state = {
  streams: [],
  selected: null, // id of the stream in the player, or a key typed by hand
  layer: "f",
  player: null,
  history: new Map(), // id -> samples, one a second
  serverReachable: true,
};

// ---- Player: one WHEP session ----

class Player {
  constructor(name, layer) {
    this.name = name;
    this.layer = layer;
    this.resource = null;
    this.closed = false;
    this.startedAt = performance.now();
    this.firstPictureMs = null;
    this.last = null;
    this.pc = new RTCPeerConnection();
    this.stream = new MediaStream();
    this.understandLayers(this.pc.addTransceiver("video", { direction: "recvonly" }));
    this.pc.addTransceiver("audio", { direction: "recvonly" });
    this.pc.ontrack = (event) => {
      this.stream.addTrack(event.track);
      if ("playoutDelayHint" in event.receiver) event.receiver.playoutDelayHint = 0;
      if ($("video").srcObject !== this.stream) $("video").srcObject = this.stream;
    };
    this.pc.onconnectionstatechange = () => {
      if (this.closed) return;
      if (this.pc.connectionState === "failed") this.fail(firefoxOnLoopback
        ? "Firefox makes no WebRTC connections over the loopback address: start the server with --bind and an address of this machine, and open the page there."
        : "The connection to the server was lost. Trying again…");
    };
  }

  // Browsers know the layers of AV1 in one stream by dependency descriptors, which they offer to receive only when told.
  understandLayers(transceiver) {
    const extensions = transceiver.getHeaderExtensionsToNegotiate?.();
    if (!extensions) return;
    for (const extension of extensions) if (extension.uri.includes("dependency-descriptor")) extension.direction = "sendrecv";
    transceiver.setHeaderExtensionsToNegotiate(extensions);
  }

  async open() {
    try {
      const offer = await this.pc.createOffer();
      // Stereo has to be asked for.
      offer.sdp = offer.sdp.replace(/(a=fmtp:\d+ [^\r\n]*useinbandfec=1)/g, "$1;stereo=1");
      await this.pc.setLocalDescription(offer);
      const response = await fetch(`whep/${encodeURIComponent(this.name)}?layer=${this.layer}`, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: this.pc.localDescription.sdp,
      });
      const text = await response.text();
      if (!response.ok) throw new Error(text || `the server answered ${response.status}`);
      this.resource = response.headers.get("Location");
      if (this.closed) return this.remove();
      await this.pc.setRemoteDescription({ type: "answer", sdp: text });
    } catch (error) {
      if (!this.closed) this.fail(`Could not start the player: ${error.message}`);
    }
  }

  async switchLayer(layer) {
    this.layer = layer;
    if (!this.resource) return;
    const response = await fetch(this.resource, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ layer }),
    });
    if (!response.ok) toast(`The layer could not be switched (${response.status})`);
  }

  fail(message) {
    showCurtain("Not playing", message);
    this.close();
    if (state.player === this) {
      state.player = null;
      setTimeout(() => { if (!state.player && state.selected) play(state.selected); }, 1500);
    }
  }

  remove() {
    if (this.resource) fetch(this.resource, { method: "DELETE", keepalive: true }).catch(() => {});
    this.resource = null;
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.remove();
    this.pc.close();
  }

  async report() {
    if (this.closed) return;
    let video = null;
    for (const entry of (await this.pc.getStats()).values()) {
      if (entry.type === "inbound-rtp" && entry.kind === "video") video = entry;
    }
    if (!video || !video.framesDecoded) return;
    if (this.firstPictureMs === null) this.firstPictureMs = performance.now() - this.startedAt;
    const last = this.last;
    this.last = video;
    $("received").hidden = false;
    $("rx-size").textContent = `${video.frameWidth}×${video.frameHeight}`;
    $("rx-lost").textContent = `${Math.max(0, video.packetsLost)}`;
    $("rx-first").textContent = `${(this.firstPictureMs / 1000).toFixed(1)} s`;
    if (!last || video.timestamp <= last.timestamp) return;
    const seconds = (video.timestamp - last.timestamp) / 1000;
    $("rx-fps").textContent = `${((video.framesDecoded - last.framesDecoded) / seconds).toFixed(0)} /s`;
    $("rx-kbps").textContent = rate((video.bytesReceived - last.bytesReceived) * 8 / 1000 / seconds);
    const emitted = video.jitterBufferEmittedCount - last.jitterBufferEmittedCount;
    if (emitted > 0) {
      const delay = (video.jitterBufferDelay - last.jitterBufferDelay) / emitted * 1000;
      $("rx-buffer").textContent = `${delay.toFixed(0)} ms`;
    }
  }
}

function play(name) {
  state.player?.close();
  state.selected = name;
  $("received").hidden = true;
  showCurtain("Connecting", "Waiting for the first picture…");
  state.player = new Player(name, state.layer);
  state.player.open();
  draw();
}

function showCurtain(title, text) {
  $("curtain-title").textContent = title;
  $("curtain-text").textContent = text;
  $("curtain").classList.remove("open");
}

function openCurtain() {
  $("curtain").classList.add("open");
  $("sound").hidden = false;
}

// ---- What the server says ----

async function poll() {
  try {
    const response = await fetch("streams", { cache: "no-store" });
    const report = await response.json();
    state.serverReachable = true;
    state.streams = report.streams;
    showServer(report.server);
    for (const stream of state.streams) remember(stream);
    const live = state.streams.filter((stream) => stream.live);
    if (!state.selected && live.length) play(live[0].id);
    draw();
  } catch {
    state.serverReachable = false;
    showCurtain("The server does not answer", "It may have been stopped. This page tries again by itself.");
  }
  state.player?.report();
}

function remember(stream) {
  const samples = state.history.get(stream.id) ?? [];
  samples.push({ at: Date.now() / 1000, stream });
  while (samples.length && samples[0].at < Date.now() / 1000 - HISTORY_SECONDS) samples.shift();
  state.history.set(stream.id, samples);
}

function showServer(server) {
  $("vital-streams").textContent = state.streams.filter((stream) => stream.live).length;
  $("vital-viewers").textContent = server.viewers;
  $("vital-cpu").textContent = `${server.cpu_percent.toFixed(0)} %`;
  $("vital-memory").textContent = `${server.memory_mb.toFixed(0)} MB`;
  $("vital-uptime").textContent = duration(server.uptime_s);
  const base = server.rtmp_url.replace(/\/[^/]*$/, "");
  const set = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
  set("obs-server", base);
  set("ffmpeg-file", `ffmpeg -re -i video.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -b:v 4M -c:a aac -b:a 128k -f flv ${base}/demo`);
  set("ffmpeg-test", `ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -pix_fmt yuv420p -c:a aac -f flv ${base}/demo`);
  const whip = new URL("whip", location.href).href;
  set("whip-url", whip);
  set("ffmpeg-whip", `ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440 -c:v libx264 -profile:v baseline -preset veryfast -tune zerolatency -g 60 -pix_fmt yuv420p -c:a libopus -ar 48000 -ac 2 -f whip ${whip}/demo`);
  set("whep-url", new URL("whep/demo", location.href).href);
}

// ---- Drawing ----

function draw() {
  drawList();
  const stream = state.streams.find((entry) => entry.id === state.selected || entry.watching_as === state.selected)
    ?? (state.streams.length === 1 ? state.streams[0] : undefined);
  drawLayers(stream);
  drawAdvice(stream);
  const live = Boolean(stream?.live);
  $("live-badge").hidden = !live;
  if (state.selected && state.serverReachable && stream && !stream.live) {
    showCurtain("The encoder has gone", "The player stays connected; the picture is back when the encoder is.");
  }
  $("plots").hidden = !stream;
  if (stream) drawPlots(stream);
}

function drawList() {
  $("no-streams").hidden = state.streams.length > 0;
  $("streams").replaceChildren(...state.streams.map((stream) => {
    const video = stream.video;
    const audio = stream.audio;
    const chips = element("span", { className: "chips" }, ...stream.layers.map((layer) =>
      element("i", { className: layer.state === "paused" ? "" : "on", title: layer.state }, `${LAYER_NAMES[layer.rid] ?? layer.rid} ${layer.height}p`)));
    const card = element("button", { className: "card" },
      element("strong", {}, stream.key, element("time", {}, stream.live ? duration(stream.live_s) : "waiting")),
      element("span", {}, video ? `${video.codec} · ${video.width}×${video.height} · ${video.fps.toFixed(0)} fps${video.gop_s ? ` · key every ${video.gop_s.toFixed(1)} s` : ""}` : "no video"),
      element("span", {}, audio ? `${audio.codec}${audio.sample_rate ? ` · ${audio.sample_rate / 1000} kHz` : ""} · ${audio.channels} ch` : "no sound"),
      element("span", {}, `in ${rate(stream.in_kbps)} · ${stream.viewers} watching`),
      chips);
    card.setAttribute("aria-pressed", String(stream.id === state.selected));
    card.onclick = () => { if (stream.id !== state.selected) play(stream.id); };
    return element("li", {}, card);
  }));
}

function drawLayers(stream) {
  const layers = stream?.layers ?? [];
  const signature = layers.map((layer) => `${layer.rid}${layer.height}`).join() + state.layer;
  if ($("layers").dataset.signature === signature) return;
  $("layers").dataset.signature = signature;
  $("layers").replaceChildren(...layers.map((layer) => {
    const button = element("button", {}, LAYER_NAMES[layer.rid] ?? layer.rid, element("small", {}, `${layer.height}p`));
    button.setAttribute("aria-pressed", String(layer.rid === state.layer));
    button.dataset.layer = layer.rid;
    button.onclick = () => {
      state.layer = layer.rid;
      state.player?.switchLayer(layer.rid);
      draw();
    };
    return button;
  }));
}

function drawAdvice(stream) {
  const lines = stream?.advice ?? [];
  $("advice").hidden = lines.length === 0;
  $("advice-list").replaceChildren(...lines.map((line) => element("li", {}, line)));
}

function drawPlots(stream) {
  const samples = state.history.get(stream.id) ?? [];
  const perLayer = (pick) => stream.layers.map((layer) => ({
    colour: LAYER_COLOURS[layer.rid] ?? "--full",
    points: samples.map(({ at, stream: then }) => {
      const entry = then.layers.find((other) => other.rid === layer.rid);
      return [at, entry ? pick(entry) : 0];
    }),
  }));
  const one = (colour, pick) => ({ colour, points: samples.map(({ at, stream: then }) => [at, pick(then)]) });
  plot("kbps", perLayer((layer) => layer.kbps), "kbit/s");
  plot("fps", perLayer((layer) => layer.fps), "fps");
  plot("encode", perLayer((layer) => layer.encode_ms), "ms");
  plot("source", [one("--full", (then) => then.video?.fps ?? 0)], "fps");
  plot("delay", [one("--full", (then) => then.delay_ms.p50), one("--p99", (then) => then.delay_ms.p99)], "ms");
  plot("drops", [one("--p99", (then) => then.dropped)], "frames");
  const top = stream.layers[0];
  $("now-kbps").textContent = rate(stream.layers.reduce((sum, layer) => sum + layer.kbps, 0));
  $("now-fps").textContent = top ? `${top.fps.toFixed(0)} fps` : "";
  $("now-encode").textContent = top ? `${stream.layers.reduce((sum, layer) => sum + layer.encode_ms, 0).toFixed(1)} ms` : "";
  $("now-source").textContent = stream.video ? `${stream.video.fps.toFixed(1)} fps` : "";
  $("now-delay").textContent = `p50 ${stream.delay_ms.p50.toFixed(0)} · p99 ${stream.delay_ms.p99.toFixed(0)} ms`;
  $("now-drops").textContent = `${stream.dropped}`;
  document.querySelector("#layer-table tbody").replaceChildren(...stream.layers.map((layer) => {
    const dot = element("span", { className: "dot" });
    dot.style.background = colour(LAYER_COLOURS[layer.rid] ?? "--full");
    const cells = [`${layer.width}×${layer.height}`, `${layer.fps.toFixed(1)} fps`, rate(layer.kbps), rate(layer.target_kbps),
      `${layer.encode_ms.toFixed(1)} ms`, `${layer.viewers}`, layer.state];
    return element("tr", {}, element("td", {}, dot, LAYER_NAMES[layer.rid] ?? layer.rid), ...cells.map((cell) => element("td", {}, cell)));
  }));
}

// ---- Interaction ----

for (const node of document.querySelectorAll(".copy")) {
  node.title = "Copy";
  node.onclick = async () => {
    await navigator.clipboard?.writeText(node.textContent.trim());
    toast("Copied");
  };
}

$("sound").onclick = () => {
  const video = $("video");
  video.muted = !video.muted;
  $("sound").textContent = video.muted ? "Sound on" : "Sound off";
  $("sound").setAttribute("aria-pressed", String(!video.muted));
};

$("wait-form").onsubmit = (event) => {
  event.preventDefault();
  const key = $("wait-key").value.trim();
  if (key) play(key);
};

function pictureArrived() {
  const stream = state.streams.find((entry) => entry.id === state.selected);
  if (!stream || stream.live) openCurtain();
  const video = $("video");
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(pictureArrived);
}
if ($("video").requestVideoFrameCallback) $("video").requestVideoFrameCallback(pictureArrived);
else $("video").ontimeupdate = pictureArrived;

addEventListener("pagehide", () => state.player?.close());
poll();
setInterval(poll, 1000);
