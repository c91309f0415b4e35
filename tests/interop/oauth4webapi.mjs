// npm oauth4webapi: a public client that lives by what the answers say, every check of the library switched on.

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { Person } from "./person.mjs";
import { checkHash, initialAccessToken, issuer, username, works } from "./world.mjs";

const redirect_uri = "http://127.0.0.1/callback";
const options = { [oauth.allowInsecureRequests]: issuer.startsWith("http:") };

const url = new URL(issuer);
const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, options));
const oauthOnly = await oauth.discoveryRequest(url, { ...options, algorithm: "oauth2" });
assert.equal((await oauth.processDiscoveryResponse(url, oauthOnly)).token_endpoint, as.token_endpoint);
works("discovery (OpenID, RFC 8414)");

const registered = await oauth.dynamicClientRegistrationRequest(
  as,
  {
    client_name: "oauth4webapi",
    application_type: "native",
    redirect_uris: [redirect_uri],
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    id_token_signed_response_alg: "ES256",
  },
  { ...options, initialAccessToken },
);
const client = await oauth.processDynamicClientRegistrationResponse(registered);
assert.equal(client.client_secret, undefined);
works("dynamic registration");

const code_verifier = oauth.generateRandomCodeVerifier();
const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
const address = new URL(as.authorization_endpoint);
for (const [name, value] of Object.entries({
  client_id: client.client_id,
  response_type: "code",
  redirect_uri,
  scope: "openid profile offline_access",
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(code_verifier),
  code_challenge_method: "S256",
  prompt: "consent",
  max_age: "600",
}))
  address.searchParams.set(name, value);
const { url: callback } = await new Person().goes(address, redirect_uri);
const parameters = oauth.validateAuthResponse(as, client, callback, state);

const none = oauth.None();
const exchanged = await oauth.authorizationCodeGrantRequest(as, client, none, parameters, redirect_uri, code_verifier, options);
const checks = { expectedNonce: nonce, maxAge: 600, requireIdToken: true };
const tokens = await oauth.processAuthorizationCodeResponse(as, client, exchanged, checks);
await oauth.validateApplicationLevelSignature(as, exchanged, options);
const claims = oauth.getValidatedIdTokenClaims(tokens);
if (claims.at_hash) checkHash(claims.at_hash, tokens.access_token);
works("code, PKCE, state, nonce, iss");
works("ES256 ID token");

const asked = await oauth.userInfoRequest(as, client, tokens.access_token, options);
const userinfo = await oauth.processUserInfoResponse(as, client, claims.sub, asked);
assert.equal(userinfo.preferred_username, username);
works("userinfo");

const refresh = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token, options);
const refreshed = await oauth.processRefreshTokenResponse(as, client, refresh);
works("refresh");

const again = await oauth.refreshTokenGrantRequest(as, client, none, tokens.refresh_token, options);
const refused = await oauth.processRefreshTokenResponse(as, client, again).catch((error) => error);
assert.equal(refused.error, "invalid_grant", String(refused));
const dead = await oauth.userInfoRequest(as, client, refreshed.access_token, options).catch((error) => error);
assert.equal(dead.status, 401, String(dead));
works("a replayed refresh token kills its family");

const revoked = await oauth.revocationRequest(as, client, none, refreshed.refresh_token, options);
await oauth.processRevocationResponse(revoked);
works("revocation");
