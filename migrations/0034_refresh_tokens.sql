-- Each use of a refresh token writes its successor, so what a row costs is what refreshing costs.

-- Nodes at work lock the two tables in either order. So this gives up before PostgreSQL takes it for a deadlock (after a
-- second), and tries again; it stands in line meanwhile, or where there is always somebody its turn would never come.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '300ms', true);
    LOOP
        BEGIN
            LOCK TABLE authorizations, refresh_tokens IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END
$$;

-- Room beside a token for the note that it was used, which then touches no index.
ALTER TABLE refresh_tokens SET (fillfactor = 70);

-- A foreign key would look for the authorization, and lock and write its row, for every successor, which the statement
-- that writes it takes from a token of the same authorization. What a key is for is that none is left behind.
ALTER TABLE refresh_tokens DROP CONSTRAINT refresh_tokens_authorization_id_fkey;

CREATE FUNCTION forget_refresh_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Once more while there were any: a token in use at this moment is waited for, and has a successor then.
    LOOP
        DELETE FROM refresh_tokens USING gone WHERE authorization_id = gone.id;
        EXIT WHEN NOT FOUND;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER authorizations_refresh_tokens AFTER DELETE ON authorizations
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_refresh_tokens();
