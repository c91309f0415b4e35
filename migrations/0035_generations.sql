-- How often a client was switched off. What came about for it says at which of its generations: of an earlier one it is
-- good no more, also when the client is on again. So there is one row to write, however much there is to end, and no
-- clock is asked which of two things came first.

-- Nodes at work lock these in any order: see 0034. Clients come last, since everybody asks for them: they are held only
-- when all others are.
DO $$
BEGIN
    PERFORM set_config('lock_timeout', '300ms', true);
    LOOP
        BEGIN
            LOCK TABLE authorizations, authorization_codes, authorization_requests, device_codes, mfa_challenges,
                clients IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END
$$;

ALTER TABLE clients ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE authorizations ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE authorization_codes ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE authorization_requests ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE device_codes ADD COLUMN generation integer NOT NULL DEFAULT 0;
ALTER TABLE mfa_challenges ADD COLUMN generation integer NOT NULL DEFAULT 0;

-- What those hold that are off now.
UPDATE clients SET generation = 1 WHERE NOT active;
