-- What people allow applications, and the secrets that stand for it.

-- Whatever may be presented once: ids of client assertions and of proofs of possession.
CREATE TABLE used_ids (
    hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_ids_expiry_idx ON used_ids (expires_at);

-- One person let one application act for them, in one session: by a code, a password, a device. Its id is the first
-- half of the `jti` of every token that follows from it.
CREATE TABLE authorizations (
    id uuid PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- No reference: with `offline_access` it outlives a session that nobody ended.
    session_id uuid NOT NULL,
    scope text NOT NULL,
    resources text[] NOT NULL,
    auth_time timestamptz NOT NULL,
    amr text[] NOT NULL,
    -- Thumbprint of the key that the tokens are bound to (RFC 9449).
    dpop_jkt text,
    created_at timestamptz NOT NULL,
    -- When the last token that could follow from it has expired.
    expires_at timestamptz NOT NULL,
    -- Since when nothing follows from it any more.
    ended_at timestamptz
);
CREATE INDEX authorizations_user_idx ON authorizations (user_id, client_id);
CREATE INDEX authorizations_session_idx ON authorizations (session_id);
CREATE INDEX authorizations_client_idx ON authorizations (client_id);
CREATE INDEX authorizations_expiry_idx ON authorizations (expires_at);

CREATE TABLE authorization_codes (
    hash bytea PRIMARY KEY,
    -- Of the authorization that redeeming it makes.
    authorization_id uuid NOT NULL CONSTRAINT authorization_codes_authorization_key UNIQUE,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    redirect_uri text NOT NULL,
    scope text NOT NULL,
    resources text[] NOT NULL,
    nonce text,
    -- S256 (RFC 7636 §4.2).
    code_challenge text,
    -- Claims that were asked for by name (OpenID Connect Core §5.5).
    claims jsonb NOT NULL,
    dpop_jkt text,
    auth_time timestamptz NOT NULL,
    amr text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    redeemed_at timestamptz
);
CREATE INDEX authorization_codes_expiry_idx ON authorization_codes (expires_at);

CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    authorization_id uuid NOT NULL REFERENCES authorizations ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_authorization_idx ON refresh_tokens (authorization_id);

-- What a person agreed to for an application, so as not to be asked again.
CREATE TABLE consents (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    scope text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consents_client_idx ON consents (client_id);

-- Authorization requests that wait: pushed by a client (RFC 9126), or for a person to log in or to agree.
CREATE TABLE authorization_requests (
    hash bytea PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    parameters jsonb NOT NULL,
    -- The session in which a person answered, and what they agreed to.
    answered_in uuid,
    agreed_scope text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX authorization_requests_expiry_idx ON authorization_requests (expires_at);
