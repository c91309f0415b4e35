// Debian's Apache with mod_auth_openidc: a web server that lets only people in whom the provider knows.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Person } from "./person.mjs";
import { issuer, register, username, works } from "./world.mjs";

const MODULES = "/usr/lib/apache2/modules";
const SECRET = "for those who signed in";
/** Debian's `nobody`, when this runs as root: Apache is never more than that. */
const nobody = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};

const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const home = `http://127.0.0.1:${port}`;
const client = await register({
  client_name: "Apache mod_auth_openidc",
  application_type: "native",
  redirect_uris: [`${home}/inside/callback`],
  post_logout_redirect_uris: [`${home}/outside.txt`],
  grant_types: ["authorization_code", "refresh_token"],
  backchannel_logout_uri: `${home}/inside/callback?logout=backchannel`,
  backchannel_logout_session_required: true,
});
works("dynamic registration");

const dir = await mkdtemp(join(tmpdir(), "interop-apache-"));
const loaded = ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "auth_openidc"];
const configuration = `
ServerRoot "${dir}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${dir}/pid"
ErrorLog "${dir}/error.log"
LogLevel warn auth_openidc:info
Mutex "file:${dir}"
${loaded.map((name) => `LoadModule ${name}_module "${MODULES}/mod_${name}.so"`).join("\n")}
StartServers 1
DocumentRoot "${dir}/pages"

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID ${client.client_id}
OIDCClientSecret ${client.client_secret}
OIDCRedirectURI ${home}/inside/callback
OIDCCryptoPassphrase of-no-consequence
OIDCScope "openid profile email offline_access"
OIDCAuthRequestParams prompt=consent
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
OIDCInfoHook access_token id_token userinfo refresh_token
<Location /inside>
  AuthType openid-connect
  Require valid-user
  Header set X-Person "expr=%{REMOTE_USER}"
</Location>
`;
await mkdir(join(dir, "pages", "inside"), { recursive: true });
await writeFile(join(dir, "pages", "inside", "page.txt"), SECRET);
await writeFile(join(dir, "pages", "outside.txt"), "bye");
await writeFile(join(dir, "httpd.conf"), configuration);
await chmod(dir, 0o755);
if (nobody.uid) await chown(dir, nobody.uid, nobody.gid);

const apache = spawn("/usr/sbin/apache2", ["-X", "-f", join(dir, "httpd.conf")], { ...nobody, cwd: dir, stdio: "inherit" });
const gone = new Promise((resolve) => apache.once("exit", resolve));
try {
  for (let tries = 0; !(await fetch(`${home}/outside.txt`).catch(() => undefined))?.ok; tries++) {
    assert.ok(tries < 100, "Apache does not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const person = new Person();
  const page = (path) => person.send({ url: new URL(path, home) });

  const stranger = await new Person().send({ url: new URL("/inside/page.txt", home) });
  assert.equal(stranger.status, 302, stranger.text);
  const sent = new URL(stranger.headers.location);
  assert.ok(sent.href.startsWith(issuer), sent.href);
  assert.equal(sent.searchParams.get("code_challenge_method"), "S256");
  works("discovery");

  /** Goes through the login until Apache has the answer. */
  const enter = async () => {
    const { url } = await person.goes(`${home}/inside/page.txt`, `${home}/inside/callback?`);
    await person.send({ url });
  };
  await enter();
  const inside = await page("/inside/page.txt");
  assert.deepEqual([inside.status, inside.text, inside.headers["x-person"]], [200, SECRET, username]);
  works("code, PKCE, state, nonce");
  works("ID token");

  const info = JSON.parse((await page("/inside/callback?info=json")).text);
  assert.equal(info.userinfo.preferred_username, username);
  works("userinfo");

  const back = encodeURIComponent(`${home}/inside/page.txt`);
  await page(`/inside/callback?refresh=${back}&access_token=${encodeURIComponent(info.access_token)}`);
  const fresh = JSON.parse((await page("/inside/callback?info=json")).text);
  assert.notEqual(fresh.access_token, info.access_token);
  works("refresh");

  const leave = `${home}/inside/callback?logout=${encodeURIComponent(`${home}/outside.txt`)}`;
  await person.goes(leave, `${home}/outside.txt`);
  assert.equal((await page("/inside/page.txt")).status, 302);
  person.pages.length = 0;
  await enter();
  assert.match(person.pages[0], /sign.?in/i, "signed out at the provider too");
  works("logout by the web server");

  await person.goes(`${issuer}/logout`, `${issuer}/login`);
  for (let tries = 0; (await page("/inside/page.txt")).status !== 302; tries++) {
    assert.ok(tries < 100, "Apache does not hear of the logout");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  works("logout at the provider (back channel)");
} catch (error) {
  console.error(await readFile(join(dir, "error.log"), "utf8").catch(() => "no log"));
  throw error;
} finally {
  apache.kill("SIGTERM");
  await gone;
  await rm(dir, { recursive: true, force: true });
}
