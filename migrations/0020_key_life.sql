-- Keys of several algorithms that follow each other: published, signing, still verifying, gone.

ALTER TABLE signing_keys
    DROP CONSTRAINT signing_keys_algorithm_check,
    ADD CONSTRAINT signing_keys_algorithm_check CHECK (algorithm IN ('ES256', 'RS256', 'EdDSA')),
    -- From when it signs, unless a newer one of its algorithm does. Published before that.
    ADD signs_from timestamptz NOT NULL DEFAULT now(),
    -- Until when it verifies. Set when its successor is known.
    ADD verifies_until timestamptz;
ALTER TABLE signing_keys ALTER signs_from DROP DEFAULT;

ALTER TABLE change_log
    DROP CONSTRAINT change_log_kind_check,
    ADD CONSTRAINT change_log_kind_check CHECK (
        kind IN ('role', 'role_removed', 'grant', 'grant_removed', 'principal', 'principals', 'bundle', 'revoked', 'keys')
    );
