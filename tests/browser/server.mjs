// `deodar dev` of its own: a free port, a fresh data directory, TLS, mail kept for reading.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, chmodSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** The name that people know the server by; the browser finds it on this machine. */
export const HOST = "id.deodar.example";

/** Starts it, and answers once it is ready. */
export async function start() {
  const directory = mkdtempSync(join(tmpdir(), "deodar-browser-"));
  chmodSync(directory, 0o755); // PostgreSQL runs as somebody else where we are root
  const data = join(directory, "data");
  const port = await freePort();
  const program = process.env.DEODAR_BIN ?? join(root, "target/debug/deodar");
  const flags = ["dev", "--tls", "--listen", `127.0.0.1:${port}`, "--data-dir", data];
  const child = spawn(program, flags, { cwd: root, env: { ...process.env, DEODAR_ISSUER: `https://${HOST}` } });
  let said = "";
  const keep = (bytes) => (said = (said + bytes).slice(-20_000));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  const facts = join(data, "dev.json");
  const up = () => {
    if (child.exitCode !== null) throw new Error(`the server ended:\n${said}`);
    return said.includes("Deodar is up at") && existsSync(facts);
  };
  try {
    await until("the server is up", up, 120);
    const dev = JSON.parse(readFileSync(facts, "utf8"));
    return { port, dev, stop, said: () => said };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** One request beside the browser: a form, if there is one. The certificate is the server's own. */
export function ask(server, path, form) {
  const options = { host: "127.0.0.1", port: server.port, path, rejectUnauthorized: false };
  const sent = form ? { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } } : {};
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, ...sent }, (answer) => {
      let text = "";
      answer.on("data", (bytes) => (text += bytes));
      answer.on("end", () => resolve(JSON.parse(text)));
    });
    asked.on("error", reject);
    asked.end(form && new URLSearchParams(form).toString());
  });
}

/** The newest mail to an address whose subject begins so. */
export async function mail(server, to, subject) {
  let found;
  await until(`a mail to ${to}: ${subject}`, async () => {
    const mails = await ask(server, "/dev/mail.json");
    found = mails.find((mail) => mail.to === to && mail.subject.startsWith(subject));
    return found;
  });
  return found;
}

/** The link in a mail. */
export function link(mail) {
  const found = mail.text.match(/https?:\/\/\S+/);
  if (!found) throw new Error(`no link in ${mail.text}`);
  return found[0];
}

/** Waits for a fact. */
export async function until(what, fact, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    if (await fact()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain: ${what}`);
}
