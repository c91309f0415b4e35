-- Mail that waits to be sent. It is written in the transaction of what it tells of, so neither happens without the
-- other. Recipient and content are sealed as one: links in them hold tokens, and a changed recipient must not get them.

CREATE TABLE outbox (
    -- Also inside the sealed bytes, and the Message-ID.
    id uuid PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it may be tried. Taking a mail moves this on past the lease, failing past a pause.
    not_before timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX outbox_not_before_idx ON outbox (not_before);
CREATE INDEX outbox_created_at_idx ON outbox (created_at);
