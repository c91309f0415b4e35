// npm oidc-client-ts: an application in the browser, a public client, in headless Chromium with our pages' real forms.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { issuer, password, register, serve, username, works } from "./world.mjs";

const library = await readFile(new URL("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>app</title><h1>app</h1><script src="/oidc.js"></script>`;

const { server, origin } = await serve((request, response) => {
  const script = request.url === "/oidc.js";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? library : PAGE);
});
const client = await register({
  client_name: "oidc-client-ts",
  application_type: "native",
  redirect_uris: [`${origin}/callback`, `${origin}/silent`],
  post_logout_redirect_uris: [`${origin}/signed-out`],
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
});
const settings = {
  authority: issuer,
  client_id: client.client_id,
  redirect_uri: `${origin}/callback`,
  silent_redirect_uri: `${origin}/silent`,
  post_logout_redirect_uri: `${origin}/signed-out`,
  scope: "openid profile email offline_access",
  loadUserInfo: true,
  prompt: "consent",
};
works("dynamic registration");

const profile = await mkdtemp(join(tmpdir(), "interop-chromium-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  // Reaches this machine only, and looks for nothing elsewhere.
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const trouble = [];
  page.on("console", (line) => line.type() === "error" && trouble.push(line.text()));
  page.on("pageerror", (error) => trouble.push(String(error)));
  /** Runs one thing of the library in the page. The result is what JSON can hold. */
  const call = (name, ...given) =>
    page.evaluate(
      async ([settings, name, given]) => {
        globalThis.manager ??= new oidc.UserManager({ ...settings, userStore: new oidc.WebStorageStateStore({ store: localStorage }) });
        const on = name === "getMetadata" ? globalThis.manager.metadataService : globalThis.manager;
        return JSON.parse(JSON.stringify((await on[name](...given)) ?? null));
      },
      [settings, name, given],
    );

  await page.goto(origin);
  await call("signinRedirect").catch((error) => {
    // The page may be gone before the call returns.
    if (!/context was destroyed|navigation/i.test(error.message)) throw error;
  });
  works("discovery (across origins)");
  await page.locator("input[name=login]").fill(username);
  await page.locator("input[name=password]").fill(password);
  await page.locator("form button").last().click();
  await page.locator("form button:is([value=allow], [type=submit])").last().click();
  await page.waitForURL(`${origin}/callback?**`);

  const user = await call("signinRedirectCallback");
  assert.equal(user.profile.iss, issuer);
  assert.equal(user.profile.preferred_username, username);
  works("code, PKCE, state");
  works("ID token, userinfo");

  const fresh = await call("signinSilent");
  assert.notEqual(fresh.refresh_token, user.refresh_token, "rotation");
  assert.equal(fresh.profile.sub, user.profile.sub);
  works("refresh");

  await call("revokeTokens", ["refresh_token"]);
  assert.ok(!(await call("getUser")).refresh_token);
  const { token_endpoint } = await call("getMetadata");
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: fresh.refresh_token, client_id: client.client_id });
  assert.equal((await (await fetch(token_endpoint, { method: "POST", body })).json()).error, "invalid_grant");
  works("revocation");

  await call("signoutRedirect", { id_token_hint: user.id_token }).catch((error) => {
    if (!/context was destroyed|navigation/i.test(error.message)) throw error;
  });
  await page.waitForURL((url) => url.pathname !== "/callback");
  // Whether it asks is the provider's to say.
  if (!page.url().startsWith(origin)) await page.locator("button:not([value=no])").last().click();
  await page.waitForURL((url) => url.origin === origin && url.pathname === "/signed-out");
  await call("signoutRedirectCallback");
  works("logout");
  assert.deepEqual(trouble, []);
} finally {
  await browser.close();
  server.close();
  await rm(profile, { recursive: true, force: true });
}
