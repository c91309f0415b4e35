-- People as more than principals: how they are named, reached and recognised again.

ALTER TABLE users
    DROP CONSTRAINT users_username_key,
    -- What makes two names the same name: compatibility forms and case folded away.
    ADD username_key text,
    ADD email text,
    ADD email_key text,
    ADD email_verified boolean NOT NULL DEFAULT false,
    ADD display_name text,
    ADD locale text,
    ADD zoneinfo text,
    ADD password_changed_at timestamptz NOT NULL DEFAULT now(),
    ADD updated_at timestamptz NOT NULL DEFAULT now();
UPDATE users SET username_key = lower(username);
ALTER TABLE users ALTER username_key SET NOT NULL;
ALTER TABLE users ADD CONSTRAINT users_username_key UNIQUE (username_key);
-- An address belongs to whoever proved it. Before that anybody may claim it, and nobody is kept from it.
CREATE UNIQUE INDEX users_email_key ON users (email_key) WHERE email_verified;
CREATE INDEX users_email_claim_idx ON users (email_key);

-- A browser or an application in which a person is logged in.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- SHA-256 of the cookie; none for a session that no browser holds.
    token_hash bytea CONSTRAINT sessions_token_key UNIQUE,
    client_id text REFERENCES clients ON DELETE CASCADE,
    auth_time timestamptz NOT NULL,
    amr text[] NOT NULL,
    address text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    idle_expires_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_expiry_idx ON sessions (expires_at);

-- A browser that once logged in: strangers who guess cannot lock it out.
CREATE TABLE devices (
    hash bytea NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (hash, user_id)
);
CREATE INDEX devices_seen_idx ON devices (seen_at);

-- What is ended before it expires: sessions, grants, single tokens. Every node keeps these in memory.
CREATE TABLE revocations (
    id text PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revocations_expiry_idx ON revocations (expires_at);

ALTER TABLE change_log
    DROP CONSTRAINT change_log_kind_check,
    ADD CONSTRAINT change_log_kind_check CHECK (
        kind IN ('role', 'role_removed', 'grant', 'grant_removed', 'principal', 'principals', 'bundle', 'revoked', 'keys')
    );
