-- migrate:up

-- Until when a run counts as under way: the server that runs it moves this on while it lives, so that
-- nobody else goes on with it meanwhile.
ALTER TABLE capsules.runs ADD COLUMN alive_until timestamptz NOT NULL DEFAULT '-infinity';

-- migrate:down

ALTER TABLE capsules.runs DROP COLUMN alive_until;
