// What every script needs: where the provider is, who may register clients, and how to say what went well.
// The variables are set by run.mjs; any provider can be tried with the same ones.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";

export const issuer = process.env.INTEROP_ISSUER;
/** Lets its bearer register clients. */
export const initialAccessToken = process.env.INTEROP_TOKEN;
export const username = process.env.INTEROP_USERNAME;
export const password = process.env.INTEROP_PASSWORD;

/** Tells the runner that something works. */
export const works = (what) => console.log(what);

/** Waits for an error that a library throws, and gives it. */
export async function fails(promise, what) {
  const outcome = await promise.then((value) => ({ value }), (error) => ({ error }));
  assert.ok(outcome.error, `${what} should have failed: ${JSON.stringify(outcome.value)}`);
  return outcome.error;
}

/** OpenID Connect Core §3.1.3.6, for libraries that leave it to their caller. */
export function checkHash(atHash, accessToken) {
  assert.equal(atHash, createHash("sha256").update(accessToken).digest().subarray(0, 16).toString("base64url"), "at_hash");
}

/** Registers a client for a program that cannot do it itself. */
export async function register(metadata) {
  const discovered = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const response = await fetch(discovered.registration_endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${initialAccessToken}` },
    body: JSON.stringify(metadata),
  });
  const answer = await response.json();
  assert.equal(response.status, 201, JSON.stringify(answer));
  return answer;
}

/** A server on a free loopback port; gives its origin. */
export async function serve(handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}
