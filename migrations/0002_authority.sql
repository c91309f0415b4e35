-- What principals may do: roles, inheritance, grants, assignments and the hand-written Cedar.

CREATE TABLE roles (
    name text PRIMARY KEY CONSTRAINT roles_name_check CHECK (name ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    description text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE role_inherits (
    role text NOT NULL REFERENCES roles ON DELETE CASCADE,
    inherits text NOT NULL REFERENCES roles ON DELETE CASCADE,
    PRIMARY KEY (role, inherits),
    CONSTRAINT role_inherits_self_check CHECK (role <> inherits)
);
CREATE INDEX role_inherits_inherits_idx ON role_inherits (inherits);

CREATE TABLE grants (
    id uuid PRIMARY KEY,
    role text NOT NULL REFERENCES roles ON DELETE CASCADE,
    effect text NOT NULL CONSTRAINT grants_effect_check CHECK (effect IN ('permit', 'forbid')),
    action text NOT NULL,
    resource_type text NOT NULL,
    resource_id text,
    condition text,
    description text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX grants_role_idx ON grants (role, id);

CREATE TABLE assignments (
    principal_type text NOT NULL CONSTRAINT assignments_type_check CHECK (principal_type IN ('User', 'Client')),
    principal_id text NOT NULL,
    role text NOT NULL REFERENCES roles ON DELETE CASCADE,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal_type, principal_id, role)
);
CREATE INDEX assignments_role_idx ON assignments (role);

CREATE TABLE bundles (
    number integer PRIMARY KEY,
    files jsonb NOT NULL,
    -- Tells whether a directory was ever pushed before.
    digest bytea NOT NULL CONSTRAINT bundles_digest_key UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The role whose holders administer Deodar always exists.
INSERT INTO roles (name, description) VALUES ('admin', 'Administers Deodar');
