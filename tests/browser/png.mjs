// Pictures small enough for a repository: PNG with a palette of 64 colours instead of 24 bits a pixel.

import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 64;

/** The same picture, smaller. */
export function smaller(png) {
  const { width, height, pixels } = decode(png);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const { palette, index } = quantize(counts);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0, at = 0; y < height; y++) {
    at++; // filter 0 suits a palette
    for (let x = 0; x < width; x++) rows[at++] = index.get(pixels[y * width + x]);
  }
  return encode(width, height, palette, rows);
}

/** Pixels as numbers 0xRRGGBB. Reads what Chromium writes: 8 bits, no interlace. */
function decode(png) {
  if (!png.subarray(0, 8).equals(SIGNATURE)) throw new Error("no PNG");
  let header;
  const parts = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") header = data;
    if (kind === "IDAT") parts.push(data);
    at += 12 + length;
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const size = { 2: 3, 6: 4 }[header[9]];
  if (header[8] !== 8 || !size || header[12] !== 0) throw new Error("a PNG of another kind");
  const bytes = unfilter(inflateSync(Buffer.concat(parts)), width * size, height, size);
  const pixels = new Uint32Array(width * height);
  for (let n = 0, at = 0; n < pixels.length; n++, at += size) {
    pixels[n] = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
  }
  return { width, height, pixels };
}

function unfilter(raw, stride, height, size) {
  const out = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= size ? out[at - size] : 0;
      const up = y > 0 ? out[at - stride] : 0;
      const corner = x >= size && y > 0 ? out[at - stride - size] : 0;
      out[at] = raw[y * (stride + 1) + 1 + x] + predicted(filter, left, up, corner);
    }
  }
  return out;
}

function predicted(filter, left, up, corner) {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Median cut: boxes of colours are halved, the most used and widest first, until there are enough. */
function quantize(counts) {
  const channel = (colour, c) => (colour >> (16 - 8 * c)) & 255;
  const box = (entries) => {
    const widths = [0, 1, 2].map((c) => {
      const values = entries.map(([colour]) => channel(colour, c));
      return values.reduce((a, b) => Math.max(a, b), 0) - values.reduce((a, b) => Math.min(a, b), 255);
    });
    const widest = widths.indexOf(Math.max(...widths));
    const weight = entries.reduce((sum, [, count]) => sum + count, 0);
    return { entries, widest, weight, urgency: widths[widest] * Math.sqrt(weight) };
  };
  const boxes = [box([...counts])];
  while (boxes.length < COLOURS) {
    const next = boxes.reduce((best, b, n) => (b.urgency > boxes[best].urgency ? n : best), 0);
    const { entries, widest, weight, urgency } = boxes[next];
    if (urgency === 0) break;
    entries.sort(([a], [b]) => channel(a, widest) - channel(b, widest));
    let [half, sum] = [0, 0];
    while (half < entries.length - 1 && (half === 0 || sum < weight / 2)) sum += entries[half++][1];
    boxes.splice(next, 1, box(entries.slice(0, half)), box(entries.slice(half)));
  }
  const index = new Map();
  const palette = boxes.map(({ entries, weight }, n) => {
    const mean = [0, 1, 2].map((c) => entries.reduce((sum, [colour, count]) => sum + channel(colour, c) * count, 0) / weight);
    for (const [colour] of entries) index.set(colour, n);
    return mean.map(Math.round);
  });
  return { palette, index };
}

function encode(width, height, palette, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const data = deflateSync(rows, { level: 9 });
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from(palette.flat())),
    chunk("IDAT", data),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(kind, data) {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(kind, 4, "latin1");
  data.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}
