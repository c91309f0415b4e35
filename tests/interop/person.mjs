// A person at a browser without scripts: keeps cookies, follows redirects, signs in, agrees to whatever is asked.
//
//   import { Person } from "./person.mjs"            in the scripts beside this one
//   node person.mjs ADDRESS UNTIL                    for those in other languages; prints where the browser came to
//
// Who it is, is in INTEROP_USERNAME and INTEROP_PASSWORD.

import * as http from "node:http";
import * as https from "node:https";
import { pathToFileURL } from "node:url";

const STEPS = 20;

export class Person {
  /** @type {Map<string, Map<string, string>>} cookies of each host; ports share them, as in every browser */
  jar = new Map();
  /** What was shown on the way: the headline of every page. */
  pages = [];

  constructor(username = process.env.INTEROP_USERNAME, password = process.env.INTEROP_PASSWORD) {
    this.answers = { login: username, username, password };
  }

  /**
   * Opens an address, and goes on until something leads to an address that begins with `until`.
   * Gives that address; for an answer by form_post, its fields as `form` besides.
   */
  async goes(address, until) {
    let request = { url: new URL(address), method: "GET" };
    for (let step = 0; step < STEPS; step++) {
      if (request.url.href.startsWith(until)) return { url: request.url, form: request.body };
      const { status, headers, text } = await this.send(request);
      const to = headers.location;
      if (to) {
        request = { url: new URL(to, request.url), method: "GET" };
        continue;
      }
      this.pages.push(between(text, /<h1[^>]*>/, "</h1>").replace(/<[^>]*>/g, "").trim() || `${status}`);
      const form = this.fill(text);
      if (!form) throw new Error(`stuck at ${request.url} (${status}): ${text.slice(0, 2000)}`);
      request = { url: new URL(form.action || request.url, request.url), method: "POST", body: form.fields, from: request.url };
    }
    throw new Error(`no end: ${this.pages.join(" → ")}`);
  }

  /** One request as a browser sends it when somebody goes somewhere, with cookies. */
  async send({ url, method = "GET", body, from }) {
    const cookies = [...(this.jar.get(url.hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await exchange(url, method, body?.toString(), {
      accept: "text/html",
      "sec-fetch-dest": "document",
      "sec-fetch-mode": "navigate",
      "sec-fetch-site": !from ? "none" : from.origin === url.origin ? "same-origin" : "cross-site",
      ...(cookies && { cookie: cookies }),
      ...(from && { origin: from.origin }),
      ...(body && { "content-type": "application/x-www-form-urlencoded" }),
    });
    for (const line of response.headers["set-cookie"] ?? []) this.keep(url.hostname, line);
    return response;
  }

  keep(host, line) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const attribute = (key) => attributes.find((a) => a.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1);
    const over = attribute("max-age") === "0" || new Date(attribute("expires") ?? Infinity) < new Date();
    if (!this.jar.has(host)) this.jar.set(host, new Map());
    if (over) this.jar.get(host).delete(name);
    else this.jar.get(host).set(name, value);
  }

  /** What the first form of a page sends when its last button is pressed: ours is the one that agrees. */
  fill(page) {
    const form = /<form\s([^>]*)>([^]*?)<\/form>/.exec(page);
    if (!form) return undefined;
    const fields = new URLSearchParams();
    for (const [, tag] of form[2].matchAll(/<input\s([^>]*)>/g)) {
      const name = attribute(tag, "name");
      const type = attribute(tag, "type");
      if (!name || type === "checkbox" || type === "submit") continue;
      fields.append(name, type === "hidden" ? attribute(tag, "value") : (this.answers[name] ?? attribute(tag, "value")));
    }
    const button = [...form[2].matchAll(/<button\b([^>]*)>/g)].at(-1)?.[1] ?? "";
    if (attribute(button, "name")) fields.append(attribute(button, "name"), attribute(button, "value"));
    return { action: attribute(form[1], "action"), fields };
  }
}

/** Not `fetch`, which says of itself that it is none of a browser's own journeys. */
function exchange(url, method, body, headers) {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? https : http).request(url, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function attribute(tag, name) {
  const found = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag);
  const named = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return (found?.[1] ?? "").replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) =>
    name ? (named[name] ?? all) : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)),
  );
}

function between(text, start, end) {
  const found = start.exec(text);
  if (!found) return "";
  const rest = text.slice(found.index + found[0].length);
  return rest.slice(0, rest.indexOf(end));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [address, until] = process.argv.slice(2);
  const person = new Person();
  const { url } = await person.goes(address, until);
  console.log(url.href);
}
