-- Word to applications that a session ended (OpenID Connect Back-Channel Logout).

-- Which applications a session led to. No reference to the session: this is read after it is gone.
CREATE TABLE session_clients (
    session_id uuid NOT NULL,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX session_clients_client_idx ON session_clients (client_id);
INSERT INTO session_clients (session_id, client_id) SELECT DISTINCT session_id, client_id FROM authorizations;

-- What is still to be told. Written in the transaction that ends the session.
CREATE TABLE farewells (
    id uuid PRIMARY KEY,
    client_id text NOT NULL REFERENCES clients ON DELETE CASCADE,
    session_id uuid NOT NULL,
    -- The person, as they are named to the client: the account may be gone by now.
    subject text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);
CREATE INDEX farewells_client_idx ON farewells (client_id, attempts, created_at);
CREATE INDEX farewells_created_at_idx ON farewells (created_at);

-- One for each application that ever had to be told something. Nodes take turns by it, and one that does not answer
-- waits by itself and holds up nobody.
CREATE TABLE farewell_lanes (
    client_id text PRIMARY KEY REFERENCES clients ON DELETE CASCADE,
    -- When it may be tried. Taking a lane moves this on past the lease, failing past a pause.
    not_before timestamptz NOT NULL,
    -- In a row.
    failures integer NOT NULL DEFAULT 0
);
