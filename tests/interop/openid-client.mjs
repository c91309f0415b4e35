// npm openid-client: a confidential client that registers itself, logs somebody in, refreshes, revokes and logs out.

import assert from "node:assert/strict";
import * as client from "openid-client";
import { Person } from "./person.mjs";
import { checkHash, fails, initialAccessToken, issuer, username, works } from "./world.mjs";

const redirect_uri = "http://127.0.0.1/callback";
const post_logout_redirect_uri = "http://127.0.0.1/signed-out";
const execute = issuer.startsWith("http:") ? [client.allowInsecureRequests] : [];

const config = await client.dynamicClientRegistration(
  new URL(issuer),
  {
    client_name: "openid-client",
    application_type: "native",
    redirect_uris: [redirect_uri],
    post_logout_redirect_uris: [post_logout_redirect_uri],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    scope: "openid profile email offline_access",
  },
  undefined,
  { initialAccessToken, execute },
);
// The library trusts what comes over TLS; here it looks at signatures too.
client.enableNonRepudiationChecks(config);
works("discovery");
works("dynamic registration");

const scope = "openid profile email offline_access";
const person = new Person();
async function login(parameters = {}, build = client.buildAuthorizationUrl) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const url = await build(config, {
    redirect_uri,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    prompt: "consent",
    ...parameters,
  });
  const { url: callback } = await person.goes(url, redirect_uri);
  assert.equal(callback.searchParams.get("iss"), issuer, "RFC 9207");
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  return { callback, checks, tokens };
}

const { callback, checks, tokens } = await login();
const claims = tokens.claims();
assert.deepEqual([claims.iss, claims.aud], [issuer, config.clientMetadata().client_id]);
if (claims.at_hash) checkHash(claims.at_hash, tokens.access_token);
works("code, PKCE, state, nonce, iss");
works("ID token");

const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
assert.equal(userinfo.preferred_username, username);
works("userinfo");

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.notEqual(refreshed.refresh_token, tokens.refresh_token, "rotation");
if (refreshed.claims()) assert.equal(refreshed.claims().sub, claims.sub);
works("refresh");

assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, true);
works("introspection");

await client.tokenRevocation(config, refreshed.refresh_token);
await fails(client.refreshTokenGrant(config, refreshed.refresh_token), "a revoked refresh token");
assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false);
works("revocation");

const again = await fails(client.authorizationCodeGrant(config, callback, checks), "a code used twice");
assert.equal(again.error, "invalid_grant");
works("no second use of a code");

if (config.serverMetadata().pushed_authorization_request_endpoint) {
  await login({}, client.buildAuthorizationUrlWithPAR);
  works("pushed request");
}

// Without offline access: what outlives a session is none of the logout's business.
const last = await login({ max_age: "0", scope: "openid" });
assert.ok(last.tokens.claims().auth_time > 0);
works("max_age");

const end = client.buildEndSessionUrl(config, { post_logout_redirect_uri, id_token_hint: last.tokens.id_token, state: "bye" });
const { url: out } = await person.goes(end, post_logout_redirect_uri);
assert.equal(out.searchParams.get("state"), "bye");
await fails(client.fetchUserInfo(config, last.tokens.access_token, claims.sub), "userinfo after the logout");
works("logout");
