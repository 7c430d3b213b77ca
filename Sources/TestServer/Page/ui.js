// What all parts of the page draw and write with.

export const $ = (id) => document.getElementById(id);
export const HISTORY_SECONDS = 120;
export const LAYER_NAMES = { f: "Full", h: "Half", q: "Quarter" };
export const LAYER_COLOURS = { f: "--full", h: "--half", q: "--quarter" };

export const rate = (kbps) => kbps >= 1000 ? `${(kbps / 1000).toFixed(2)} Mbit/s` : `${kbps.toFixed(0)} kbit/s`;

export function duration(seconds) {
  const s = Math.floor(seconds);
  if (s < 60) return `${s} s`;
  const two = (n) => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in node) node[key] = value; else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("up");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => $("toast").classList.remove("up"), 1600);
}

// ---- Plots ----

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function niceCeiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].map((step) => step * power).find((step) => step >= value);
}

export function plot(name, series, unit) {
  const canvas = document.querySelector(`canvas[data-plot=${name}]`);
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const now = Date.now() / 1000;
  const top = niceCeiling(Math.max(...series.flatMap((line) => line.points.map((point) => point[1])), 0) * 1.08);
  const x = (at) => width - (now - at) / HISTORY_SECONDS * width;
  const y = (value) => height - 4 - value / top * (height - 18);
  context.strokeStyle = colour("--line");
  context.fillStyle = colour("--soft");
  context.font = "11px system-ui, sans-serif";
  context.lineWidth = 1;
  for (const part of [0, .5, 1]) {
    context.beginPath();
    context.moveTo(0, Math.round(y(top * part)) + .5);
    context.lineTo(width, Math.round(y(top * part)) + .5);
    context.stroke();
    if (part) context.fillText(`${+(top * part).toPrecision(3)} ${part === 1 ? unit : ""}`, 2, y(top * part) - 3);
  }
  for (const line of series) {
    context.strokeStyle = colour(line.colour);
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    line.points.forEach(([at, value], index) => index ? context.lineTo(x(at), y(value)) : context.moveTo(x(at), y(value)));
    context.stroke();
  }
}
