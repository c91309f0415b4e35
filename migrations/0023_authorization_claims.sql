-- Claims that an application asked for by name go on with its refresh tokens.
ALTER TABLE authorizations ADD claims jsonb NOT NULL DEFAULT '{}';
