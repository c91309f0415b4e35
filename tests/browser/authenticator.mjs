// An authenticator app (RFC 6238 over RFC 4226): SHA-1, six digits, steps of 30 seconds.

import { createHmac } from "node:crypto";
import { until } from "./server.mjs";

const step = () => Math.floor(Date.now() / 30_000);

export class Authenticator {
  #secret;
  #last = 0;

  /** With the key as the page shows it: base32, perhaps with spaces. */
  constructor(base32) {
    const letters = [...base32.replace(/\s/g, "")];
    const bits = letters.map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
    this.#secret = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  }

  /** A code that was not given before: waits for the next step where that is needed. */
  async fresh() {
    await until("the next step", () => step() > this.#last, 31);
    this.#last = step();
    return this.#code(this.#last);
  }

  /** A code that is wrong now and soon. */
  wrong() {
    const near = [-2, -1, 0, 1, 2].map((offset) => this.#code(step() + offset));
    return ["000000", "111111", "222222", "333333", "444444", "555555"].find((code) => !near.includes(code));
  }

  #code(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const tag = createHmac("sha1", this.#secret).update(counter).digest();
    const number = tag.readUInt32BE(tag[19] & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  }
}
