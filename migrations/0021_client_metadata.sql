-- Everything that RFC 7591 and its extensions let a client say of itself; and clients that register themselves.

ALTER TABLE clients
    ADD metadata jsonb,
    ADD first_party boolean NOT NULL DEFAULT false,
    ADD self_registered boolean NOT NULL DEFAULT false,
    -- SHA-256 of the registration access token (RFC 7592), for a client that registered itself.
    ADD registration_hash bytea,
    DROP CONSTRAINT clients_secret_check;
UPDATE clients SET metadata = jsonb_build_object(
    'client_name', name, 'redirect_uris', redirect_uris, 'grant_types', grant_types, 'scope', scope,
    'response_types', CASE WHEN 'authorization_code' = ANY (grant_types) THEN '["code"]'::jsonb ELSE '[]'::jsonb END,
    'token_endpoint_auth_method', auth_method, 'require_pkce', true, 'id_token_signed_response_alg', 'RS256',
    'application_type', CASE WHEN EXISTS (SELECT FROM unnest(redirect_uris) AS uri WHERE uri NOT LIKE 'https:%')
        THEN 'native' ELSE 'web' END);
ALTER TABLE clients
    ALTER metadata SET NOT NULL,
    DROP name,
    DROP redirect_uris,
    DROP grant_types,
    DROP scope,
    DROP auth_method,
    ADD CONSTRAINT clients_secret_check CHECK (
        (secret_hash IS NULL) = (metadata ->> 'token_endpoint_auth_method' IN ('none', 'private_key_jwt'))
    );

-- Lets somebody register clients who may do nothing else.
CREATE TABLE registration_tokens (
    id uuid PRIMARY KEY,
    hash bytea NOT NULL CONSTRAINT registration_tokens_hash_key UNIQUE,
    description text NOT NULL,
    -- How many more clients.
    uses_left integer NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
