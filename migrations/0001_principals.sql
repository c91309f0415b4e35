-- Who can ask: people and programs. Only what checks and client authentication need.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL CONSTRAINT users_username_key UNIQUE,
    password_hash text,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE clients (
    id text PRIMARY KEY,
    name text NOT NULL,
    secret_hash bytea,
    redirect_uris text[] NOT NULL,
    grant_types text[] NOT NULL,
    scope text NOT NULL,
    auth_method text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT clients_secret_check CHECK ((secret_hash IS NULL) = (auth_method = 'none'))
);
