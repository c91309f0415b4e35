// Runs the scripts beside this one, each against a fresh `deodar dev`, and tells how it went: one line per client.
//
//   node run.mjs [--quick] [CLIENT...]        --quick leaves out what needs a browser or a web server
//
// `make interop` builds and installs what this needs. DEODAR names another binary to try.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(HERE, "../..");
const DEODAR = process.env.DEODAR ?? join(ROOT, "target/debug/deodar");
/** Milliseconds that a server takes to start, and a client for all it does. */
const [START, WHOLE] = [60_000, 90_000];

// Those with `tls` refuse to do without it, or can, and show that it works.
const CLIENTS = [
  { name: "openid-client", command: ["node", "openid-client.mjs"] },
  { name: "oauth4webapi", command: ["node", "oauth4webapi.mjs"], tls: true },
  { name: "Authlib", command: [join(ROOT, "target/interop/venv/bin/python"), "authlib_app.py"] },
  { name: "openidconnect", command: [join(ROOT, "target/interop/debug/deodar-interop")], tls: true },
  { name: "oidc-client-ts", command: ["node", "oidc-client-ts.mjs"], slow: true },
  { name: "mod_auth_openidc", command: ["node", "apache.mjs"], slow: true },
];

const wanted = process.argv.slice(2).filter((word) => word !== "--quick");
const quick = process.argv.includes("--quick");
const unknown = wanted.find((name) => !CLIENTS.some((client) => client.name === name));
if (unknown) {
  console.error(`no client \`${unknown}\`: write some of ${CLIENTS.map((client) => client.name).join(", ")}`);
  process.exit(2);
}
const chosen = CLIENTS.filter(({ name, slow }) => (wanted.length ? wanted.includes(name) : !(quick && slow)));

/** Starts a server with a data directory of its own; what its clients are told, and how it ends. */
async function start(tls) {
  const dir = await mkdtemp(join(tmpdir(), "deodar-interop-"));
  await chmod(dir, 0o755); // PostgreSQL is not run as root, and has to reach its files
  const data = join(dir, "data");
  const flags = ["dev", "--listen", "127.0.0.1:0", "--data-dir", data, ...(tls ? ["--tls"] : [])];
  const child = spawn(DEODAR, flags, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (part) => (said += part));
  child.stderr.on("data", (part) => (said += part));
  const gone = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  const server = {
    // Its log alone: what it greets with holds secrets.
    log: () => said.split("\n").filter((line) => line.startsWith("{")).slice(-15),
    stop: async () => {
      child.kill("SIGTERM");
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
  try {
    const started = Date.now();
    while (!said.includes("Deodar is up")) {
      if (child.exitCode !== null || Date.now() - started > START) throw new Error(`the server does not start: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    server.env = await told(data);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

async function told(data) {
  const dev = JSON.parse(await readFile(join(data, "dev.json"), "utf8"));
  const certificate = join(data, "cert.pem");
  const ca = existsSync(certificate) ? await readFile(certificate) : undefined;
  const { client_id, client_secret } = dev.admin_client;
  const form = new URLSearchParams({ grant_type: "client_credentials", scope: "admin", client_id, client_secret });
  const answer = await post(`${dev.issuer}/oauth/token`, form, ca);
  const person = dev.users.find((user) => user.username === "ana");
  return {
    INTEROP_ISSUER: dev.issuer,
    INTEROP_TOKEN: answer.access_token,
    INTEROP_USERNAME: person.username,
    INTEROP_PASSWORD: person.password,
    ...(ca && { INTEROP_CERTIFICATE: certificate, NODE_EXTRA_CA_CERTS: certificate }),
  };
}

function post(url, form, ca) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { request } = ca ? https : http;
    const sent = request(url, { method: "POST", headers, ca }, async (response) => {
      let text = "";
      for await (const part of response) text += part;
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`${url}: ${response.statusCode} ${text}`));
    });
    sent.on("error", reject);
    sent.end(form.toString());
  });
}

/** Runs one script: how it ended, and what it said. */
async function run({ command: [program, ...rest] }, env) {
  const child = spawn(program, rest, { cwd: HERE, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout: WHOLE });
  let [works, trouble] = ["", ""];
  child.stdout.on("data", (part) => (works += part));
  child.stderr.on("data", (part) => (trouble += part));
  const code = await new Promise((resolve) => child.once("close", resolve).once("error", (error) => resolve(String(error))));
  return { ok: code === 0, works: works.trim().split("\n"), trouble: code === null ? `${trouble}\ntook too long` : trouble, code };
}

const servers = new Map();
const stop = () => Promise.all([...servers.values()].map((server) => server.then(({ stop }) => stop(), () => {})));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop().finally(() => process.exit(1)));

let failed = 0;
try {
  for (const client of chosen) {
    if (!servers.has(client.tls)) servers.set(client.tls, start(client.tls));
    const server = await servers.get(client.tls);
    const started = Date.now();
    const { ok, works, trouble, code } = await run(client, server.env);
    const took = `${((Date.now() - started) / 1000).toFixed(1)} s`;
    console.log(`${ok ? "ok  " : "FAIL"} ${client.name} (${took}${client.tls ? ", https" : ""}): ${works.join("; ")}`);
    if (!ok) {
      failed++;
      console.log(`--- exit status ${code}\n${trouble.trim()}\n--- the server's last words\n${server.log().join("\n")}\n---`);
    }
  }
} finally {
  await stop();
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
