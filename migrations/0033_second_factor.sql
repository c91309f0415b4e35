-- Whether a second factor is in use, beside the password that it goes with: a login then sees both in one row, which it
-- locks in the statement that opens the session. Kept by the database, so that a node of the release before keeps it too.

ALTER TABLE users ADD COLUMN mfa boolean NOT NULL DEFAULT false;

UPDATE users SET mfa = true WHERE EXISTS (SELECT FROM totp WHERE user_id = users.id AND totp.active);

CREATE FUNCTION note_second_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET mfa = EXISTS (SELECT FROM totp WHERE user_id = users.id AND totp.active)
    WHERE id = coalesce(NEW.user_id, OLD.user_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER totp_second_factor AFTER INSERT OR UPDATE OF active OR DELETE ON totp
    FOR EACH ROW EXECUTE FUNCTION note_second_factor();
