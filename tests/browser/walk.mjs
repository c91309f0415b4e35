// A person's way through the pages in Chromium, with JavaScript off: `make browser`, `make pictures`.
//
//   node walk.mjs [FOLDER FOR PICTURES]
//
// Every page on the way is looked at by `camera.mjs`. Whatever loads from elsewhere, breaks a content policy or does not
// load fails the walk.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { chromium } from "playwright-core";
import { Authenticator } from "./authenticator.mjs";
import { Camera } from "./camera.mjs";
import { HOST, ask, link, mail, start } from "./server.mjs";

const PASSWORD = "mauve otter dry kettle";
const NEW_PASSWORD = "forty quiet tangerines";
const ADDRESS = "maria@example.com";
/** Where the demo application waits for the answer; caught before it leaves the browser. */
const CALLBACK = "http://127.0.0.1/callback";

const server = await start();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    ...["--disable-background-networking", "--disable-component-update"],
    ...[`--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${server.port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`],
  ],
});
const camera = await Camera.open(browser, process.argv[2]);
const trouble = [];

/** A browser of its own, without scripts. */
async function visitor() {
  const context = await browser.newContext({
    baseURL: `https://${HOST}`,
    ignoreHTTPSErrors: true,
    javaScriptEnabled: false,
    locale: "en-GB",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => {
    // The status of an error page is what it should be; advice about forms is no fault.
    const expected = /^(Failed to load resource: the server responded with a status of 4|\[DOM\] )/.test(message.text());
    if (!expected && message.type() !== "log") trouble.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { host, protocol } = new URL(request.url());
    const answers = request.url().startsWith(`${CALLBACK}?`);
    if (host !== HOST && protocol !== "data:" && !answers) trouble.push(`a request to ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    // The next page may come before the last one is whole; at the application's address nobody listens.
    const left = request.failure()?.errorText === "net::ERR_ABORTED" || request.url().startsWith(`${CALLBACK}?`);
    if (!left) trouble.push(`not loaded: ${request.url()} ${request.failure()?.errorText}`);
  });
  return page;
}

const path = (page) => new URL(page.url()).pathname;
const says = (page, text) => page.getByText(text).first().waitFor();
const click = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function signIn(page, password = PASSWORD) {
  await page.goto("/login");
  await page.getByLabel("Username or e-mail").fill("maria");
  await page.getByLabel("Password").fill(password);
  await click(page, "Sign in");
}

async function signOut(page) {
  await page.getByRole("link", { name: "Sign out" }).click();
  await click(page, "Sign out");
  await says(page, "You are signed out.");
}

async function open(page, section, name) {
  await page.goto(`/account/${section}`);
  await camera.take(page, name);
}

/** From nothing to an account whose address is proven. */
async function register(page) {
  await page.goto("/");
  assert.equal(path(page), "/login");
  await camera.take(page, "login");
  await page.getByRole("link", { name: "Create an account" }).click();
  await camera.take(page, "register");
  await page.getByLabel("Username").fill("maria");
  await page.getByLabel("E-mail").fill(ADDRESS);
  await page.getByLabel("Password").fill("mariamariamaria");
  await click(page, "Create the account");
  await says(page, "Please look at what is marked below.");
  await camera.take(page, "register-fault");
  await page.getByLabel("Password").fill(PASSWORD);
  await click(page, "Create the account");
  assert.equal(path(page), "/register/sent");
  await camera.take(page, "register-sent");
  await signIn(page);
  await says(page, "Your address is not confirmed.");
  await camera.take(page, "account-unconfirmed");
  await signOut(page);
  await camera.take(page, "signed-out");
  await page.goto(link(await mail(server, ADDRESS, "Confirm your address")));
  await camera.take(page, "verify-email");
  await click(page, "Confirm");
  await says(page, "Your address is confirmed");
  await camera.take(page, "verified");
}

/** A second factor is set up. Answers the authenticator and the backup codes. */
async function setUp(page) {
  await signIn(page, "not the password at all");
  await says(page, "The name or the password is not right.");
  await camera.take(page, "login-fault");
  await page.getByLabel("Password").fill(PASSWORD);
  await click(page, "Sign in");
  assert.equal(path(page), "/account");
  await camera.take(page, "account");
  await page.getByRole("link", { name: "Two-step sign-in" }).locator("visible=true").first().click();
  await camera.take(page, "mfa-off");
  await click(page, "Set up");
  await camera.take(page, "mfa-set-up");
  const authenticator = new Authenticator(await page.locator("#secret").innerText());
  await page.getByLabel("Code").fill(authenticator.wrong());
  await click(page, "Turn it on");
  await page.locator(".wrong, .alert").first().waitFor();
  await camera.take(page, "mfa-set-up-fault");
  await page.getByLabel("Code").fill(await authenticator.fresh());
  await click(page, "Turn it on");
  await says(page, "Your backup codes");
  await camera.take(page, "mfa-codes");
  const codes = await page.locator(".codes code").allInnerTexts();
  assert.equal(codes.length, 10);
  await page.getByRole("link", { name: "I have kept them" }).click();
  await camera.take(page, "mfa-on");
  await mail(server, ADDRESS, "Two-step sign-in is on");
  return { authenticator, codes };
}

async function signInWithBoth(page, authenticator, codes) {
  await signOut(page);
  await signIn(page);
  assert.equal(path(page), "/login/mfa");
  await camera.take(page, "login-mfa");
  await page.getByLabel("Code").fill(authenticator.wrong());
  await click(page, "Go on");
  await page.locator(".wrong, .alert").first().waitFor();
  await camera.take(page, "login-mfa-fault");
  await page.getByLabel("Code").fill(await authenticator.fresh());
  await click(page, "Go on");
  assert.equal(path(page), "/account");
  await signOut(page);

  for (const works of [true, false]) {
    await signIn(page);
    await page.getByRole("link", { name: "Use a backup code" }).click();
    if (works) await camera.take(page, "login-backup");
    await page.getByLabel("Backup code").fill(codes[0].toLowerCase());
    await click(page, "Go on");
    if (works) {
      assert.equal(path(page), "/account");
      await signOut(page);
    } else {
      assert.equal(path(page), "/login/mfa");
      await page.locator(".alert").waitFor();
      await camera.take(page, "login-backup-used");
    }
  }
  await page.getByLabel("Backup code").fill(codes[1]);
  await click(page, "Go on");
  assert.equal(path(page), "/account");
}

/** A new password by mail, in another browser. */
async function recover(page) {
  await page.goto("/forgot-password");
  await camera.take(page, "forgot-password");
  await page.getByLabel("E-mail").fill(ADDRESS);
  await click(page, "Send the link");
  await camera.take(page, "forgot-password-sent");
  const reset = link(await mail(server, ADDRESS, "Reset your password"));
  await page.goto(reset);
  await camera.take(page, "reset-password");
  await page.getByLabel("New password").fill("password password");
  await click(page, "Set the password");
  await camera.take(page, "reset-password-fault");
  await page.getByLabel("New password").fill(NEW_PASSWORD);
  await click(page, "Set the password");
  await says(page, "Your new password is set.");
  await camera.take(page, "reset-done");
  await mail(server, ADDRESS, "Your password has changed");
  await page.goto(reset);
  await says(page, "This link does not work any more");
  await camera.take(page, "link-used");
}

async function lookAround(page, authenticator) {
  await signIn(page, NEW_PASSWORD);
  assert.equal(path(page), "/login/mfa", "a new password does away with no second factor");
  await page.getByLabel("Code").fill(await authenticator.fresh());
  await click(page, "Go on");
  assert.equal(path(page), "/account");
  await page.goto("/account/profile");
  await page.getByLabel("Name", { exact: true }).fill("Maria Silva");
  await click(page, "Save");
  await says(page, "Saved.");
  await camera.take(page, "profile");
  await page.getByLabel("New address").fill("maria.silva@example.com");
  await page.getByLabel("Your password").fill(NEW_PASSWORD);
  await click(page, "Change the address");
  await says(page, "We have sent a link to that address.");
  await mail(server, "maria.silva@example.com", "Confirm your new address");
  await open(page, "password", "password");
  await open(page, "sessions", "sessions");
  await open(page, "applications", "applications-none");
  await allow(page);
  await open(page, "applications", "applications");
  await says(page, "Demo application");
  await page.getByRole("button", { name: "Take back the access of Demo application" }).click();
  await says(page, "Access taken back.");
  await open(page, "close", "close");
  await page.goto("/account/activity");
  let told = await page.locator("main").innerText();
  const older = page.getByRole("link", { name: "Older" });
  while (await older.count()) {
    await older.click();
    told += await page.locator("main").innerText();
  }
  await page.goto("/account/activity");
  for (const event of ["Created the account", "Confirmed the address", "Turned two-step sign-in on", "Gave a code",
    "Used a backup code", "Somebody gave a wrong code", "Reset the password by mail", "Signed in"]) {
    assert.ok(told.includes(event), `no "${event}" in ${told}`);
  }
  await camera.take(page, "activity");
  await page.goto("/login?again=1&return_to=%2Faccount%2Fsessions");
  await camera.take(page, "login-again");
  await page.goto("/logout");
  await camera.take(page, "logout");
}

/** An application asks who she is, and she lets it know. */
async function allow(page) {
  const { client_id, client_secret } = server.dev.demo_client;
  const verifier = randomBytes(32).toString("base64url");
  const asked = new URLSearchParams({
    client_id,
    response_type: "code",
    redirect_uri: CALLBACK,
    scope: "openid profile email offline_access",
    prompt: "consent",
    state: "as it was",
    code_challenge_method: "S256",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  await page.route(`${CALLBACK}?*`, (route) => route.fulfill({ body: "done" }));
  await page.goto(`/oauth/authorize?${asked}`);
  assert.equal(path(page), "/consent");
  await camera.take(page, "consent");
  await click(page, "Allow");
  await page.waitForURL(`${CALLBACK}?*`);
  const answer = new URL(page.url()).searchParams;
  assert.deepEqual([answer.get("state"), answer.get("iss")], ["as it was", `https://${HOST}`]);
  const form = { grant_type: "authorization_code", code: answer.get("code"), redirect_uri: CALLBACK,
    code_verifier: verifier, client_id, client_secret };
  const tokens = await ask(server, "/oauth/token", form);
  assert.ok(tokens.access_token && tokens.id_token && tokens.refresh_token, JSON.stringify(tokens));
}

async function errors(page) {
  await page.goto("/no/such/page");
  await camera.take(page, "error-not-found");
  await page.goto("/login");
  await page.context().clearCookies();
  await page.getByLabel("Username or e-mail").fill("maria");
  await page.getByLabel("Password").fill(PASSWORD);
  await click(page, "Sign in");
  await camera.take(page, "error-form-expired");
}

try {
  const [first, second] = [await visitor(), await visitor()];
  await register(first);
  const { authenticator, codes } = await setUp(first);
  await signInWithBoth(first, authenticator, codes);
  await recover(second);
  await first.goto("/account");
  assert.equal(path(first), "/login", "the old session is gone");
  await lookAround(second, authenticator);
  await errors(first);
  assert.deepEqual(trouble, []);
  assert.deepEqual(camera.faults, []);
  console.log(`the walk is done: ${camera.count} pages in Chromium without JavaScript`);
} catch (error) {
  console.error(server.said());
  throw error;
} finally {
  await browser.close();
  await server.stop();
}
