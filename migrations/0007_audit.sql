-- What happened, one row an event, a partition a day: forgetting is dropping a partition.

CREATE TABLE audit (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor_type text,
    actor_id text,
    action text NOT NULL,
    target_type text,
    target_id text,
    outcome text NOT NULL CONSTRAINT audit_outcome_check CHECK (outcome IN ('success', 'failure', 'denied')),
    address text,
    request_id text,
    client_id text,
    details jsonb NOT NULL
) PARTITION BY RANGE (at);
-- Catches what no partition is ready for, so that an event is never refused.
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
CREATE INDEX audit_at_idx ON audit (at DESC, id DESC);
CREATE INDEX audit_actor_idx ON audit (actor_id, at DESC);
CREATE INDEX audit_target_idx ON audit (target_id, at DESC);
