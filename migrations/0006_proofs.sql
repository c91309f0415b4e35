-- How people prove who they are, besides a password.

-- Links sent by mail. One use, the newest only.
CREATE TABLE mail_tokens (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL CONSTRAINT mail_tokens_purpose_check CHECK (
        purpose IN ('verify_email', 'change_email', 'reset_password', 'recover')
    ),
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- The address that following the link proves.
    email text,
    expires_at timestamptz NOT NULL,
    CONSTRAINT mail_tokens_newest_key UNIQUE (user_id, purpose)
);
CREATE INDEX mail_tokens_expiry_idx ON mail_tokens (expires_at);

-- TOTP (RFC 6238). One in use, and beside it perhaps one that is being set up.
CREATE TABLE totp (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    active boolean NOT NULL,
    secret_sealed bytea NOT NULL,
    -- The last step that was used: neither it nor an earlier one works again.
    last_step bigint,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, active)
);

CREATE TABLE backup_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Keyed with the master key.
    hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    warned boolean NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX backup_codes_expiry_idx ON backup_codes (expires_at);

-- An administrator lets a person in once without the second factor.
CREATE TABLE mfa_bypasses (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    hash bytea NOT NULL,
    granted_by text NOT NULL,
    reason text NOT NULL,
    expires_at timestamptz NOT NULL
);

-- The password was right, the second factor is still to come.
CREATE TABLE mfa_challenges (
    hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id text REFERENCES clients ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX mfa_challenges_expiry_idx ON mfa_challenges (expires_at);

-- Attempts that have not succeeded yet, by account and by address.
CREATE TABLE throttle (
    subject text PRIMARY KEY,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX throttle_last_idx ON throttle (last_at);
