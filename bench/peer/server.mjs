// npm oidc-provider as it comes: one process, tokens in memory. What is set differs from its defaults only
// so that it answers what Deodar answers: access tokens are ES256 JWTs, ID tokens ES256, refresh tokens rotate.
//
//   node server.mjs [PORT]      prints one line {"issuer", "client_id", …}; a line N on standard input asks for N
//                               refresh tokens, each of its own family, which come back as one line
//
// PEER_OPAQUE=1 leaves access tokens opaque, which costs it no signature, and is what it can introspect.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const opaque = process.env.PEER_OPAQUE === "1";
const server = createServer();
await new Promise((resolve) => server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const client = { client_id: "peer", client_secret: "a-secret-of-forty-three-characters-or-so-----" };
const INITIAL = "whoever-knows-this-may-register";
const SCOPE = "openid profile email offline_access";

// Its own store in memory forgets what it issued once a thousand entries came after. Where its access tokens are entries
// too, it would soon refuse to refresh.
class Everything {
  static kept = new Map();
  static grants = new Map();
  constructor(kind) {
    this.kind = kind;
  }
  async upsert(id, payload) {
    const key = `${this.kind}:${id}`;
    if (payload.grantId && this.kind !== "Grant") {
      const keys = Everything.grants.get(payload.grantId);
      if (keys) keys.push(key);
      else Everything.grants.set(payload.grantId, [key]);
    }
    Everything.kept.set(key, payload);
  }
  async find(id) {
    return Everything.kept.get(`${this.kind}:${id}`);
  }
  async consume(id) {
    (await this.find(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    Everything.kept.delete(`${this.kind}:${id}`);
  }
  async revokeByGrantId(grantId) {
    for (const key of Everything.grants.get(grantId) ?? []) Everything.kept.delete(key);
    Everything.grants.delete(grantId);
  }
}

const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use: "sig", ...more });
const account = (accountId) => ({
  accountId,
  claims: () => ({ sub: accountId, preferred_username: accountId, email: `${accountId}@example.com`, email_verified: true }),
});
const provider = new Provider(issuer, {
  ...(opaque && { adapter: Everything }),
  jwks: { keys: [jwk("rsa", { modulusLength: 2048 }, { kid: "rs" }), jwk("ec", { namedCurve: "P-256" }, { kid: "es" })] },
  clients: [
    {
      ...client,
      grant_types: ["client_credentials", "authorization_code", "refresh_token"],
      redirect_uris: ["https://client.example/callback"],
      id_token_signed_response_alg: "ES256",
      scope: `${SCOPE} orders`,
    },
  ],
  scopes: [...SCOPE.split(" "), "orders"],
  claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"] },
  findAccount: (_, id) => account(id),
  cookies: { keys: ["of no consequence"] },
  rotateRefreshToken: true,
  issueRefreshToken: (_, client, code) => client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256"] },
  clientBasedCORS: () => true,
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    registration: { enabled: true, initialAccessToken: INITIAL },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => (opaque ? undefined : `${issuer}/api`),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "orders", accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
    },
  },
});
provider.on("server_error", (_, error) => console.error(error));
server.on("request", provider.callback());

async function family(n) {
  const accountId = `person-${n}`;
  const { client_id: clientId } = client;
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope(SCOPE);
  if (!opaque) grant.addResourceScope(`${issuer}/api`, "orders");
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId,
    client: await provider.Client.find(clientId),
    grantId,
    gty: "authorization_code",
    scope: `${SCOPE} orders`,
    authTime: Math.floor(Date.now() / 1000),
    nonce: "n",
    ...(!opaque && { resource: `${issuer}/api` }),
  });
  return token.save();
}

console.log(JSON.stringify({ issuer, ...client, initial_access_token: INITIAL }));
const commands = createInterface({ input: process.stdin });
commands.on("line", async (line) => {
  console.log(JSON.stringify(await Promise.all(Array.from({ length: Number(line) }, (_, n) => family(n)))));
});
commands.on("close", () => process.exit(0));
