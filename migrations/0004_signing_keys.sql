-- Keys that sign tokens. The private part is sealed with the master key.

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    algorithm text NOT NULL CONSTRAINT signing_keys_algorithm_check CHECK (algorithm IN ('ES256')),
    private_sealed bytea NOT NULL,
    public_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
