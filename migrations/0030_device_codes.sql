-- Devices without a browser that wait for a person to let them in (RFC 8628).
CREATE TABLE device_codes (
    -- SHA-256 of what the device asks with.
    hash bytea PRIMARY KEY,
    -- Keyed hash of what the person types: it is short enough to be searched through.
    user_code_hash bytea NOT NULL CONSTRAINT device_codes_user_code_key UNIQUE,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    scope text NOT NULL,
    resources text[] NOT NULL,
    -- Of the authorization that redeeming it makes.
    authorization_id uuid NOT NULL CONSTRAINT device_codes_authorization_key UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Seconds between two questions of the device, and when it asked last.
    wait_seconds integer NOT NULL,
    polled_at timestamptz,
    -- What a person said, and how somebody is logged in who said yes. Nothing comes of a session that ends before.
    allowed boolean,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    session_id uuid REFERENCES sessions ON DELETE CASCADE,
    auth_time timestamptz,
    amr text[],
    redeemed_at timestamptz,
    CONSTRAINT device_codes_allowed_by_somebody
        CHECK (allowed IS NOT TRUE OR (user_id IS NOT NULL AND session_id IS NOT NULL AND auth_time IS NOT NULL
                                       AND amr IS NOT NULL))
);
CREATE INDEX device_codes_expiry_idx ON device_codes (expires_at);
CREATE INDEX device_codes_client_idx ON device_codes (client_id);
CREATE INDEX device_codes_user_idx ON device_codes (user_id);
CREATE INDEX device_codes_session_idx ON device_codes (session_id);
