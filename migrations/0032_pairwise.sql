-- How people are named to applications that must not recognise them by the name that others know (OpenID Connect
-- Core §8.1). Random, so that nothing can be computed from it, and gone with the account, so never given out twice.

CREATE TABLE pairwise_subjects (
    -- A host.
    sector text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    subject text NOT NULL CONSTRAINT pairwise_subjects_subject_key UNIQUE,
    PRIMARY KEY (sector, user_id)
);
CREATE INDEX pairwise_subjects_user_idx ON pairwise_subjects (user_id);
