-- The number that keeps caches honest. Every write that can change a decision takes the row lock of `state`,
-- so revisions are committed in their order, and leaves rows in `change_log` that say what changed.

CREATE TABLE state (
    singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT state_singleton_check CHECK (singleton),
    revision bigint NOT NULL,
    bundle integer REFERENCES bundles
);
INSERT INTO state (revision) VALUES (0);

CREATE TABLE change_log (
    revision bigint NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL CONSTRAINT change_log_kind_check CHECK (
        kind IN ('role', 'role_removed', 'grant', 'grant_removed', 'principal', 'principals', 'bundle')
    ),
    -- Role name, entity type of a principal, or empty.
    subject text NOT NULL,
    -- Grant id, entity id of a principal, or empty.
    detail text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (revision, ordinal)
);
CREATE INDEX change_log_at_idx ON change_log (at);
