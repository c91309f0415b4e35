-- When the client was last switched off or on. What came about for it before is good no more (its tokens, what people
-- let it do, codes and requests that wait), also when it is on again: one row to write, however much there is. Tokens tell
-- whole seconds: those of the times before say an earlier one than `tokens_from`, in seconds since 1970.
ALTER TABLE clients ADD COLUMN switched_at timestamptz, ADD COLUMN tokens_from bigint,
    ADD CONSTRAINT clients_switched CHECK ((switched_at IS NULL) = (tokens_from IS NULL));
