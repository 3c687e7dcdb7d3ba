-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of tenant_id reads it.

-- name: keep
-- $1 run, $2 user, $3 capsule, $4 conversation, $5 holder, $6 input, $7 state, JSON texts, $8 the time
-- for which it is claimed. No row if another attempt holds it, or it has ended.
INSERT INTO runs AS r (id, user_id, capsule_id, conversation_id, holder, input, state, alive_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, statement_timestamp() + $8)
ON CONFLICT (tenant_id, id) DO UPDATE
SET state = excluded.state, checkpoints = r.checkpoints + 1, updated_at = statement_timestamp(),
  alive_until = excluded.alive_until
WHERE r.holder = excluded.holder AND NOT r.ended
RETURNING checkpoints;

-- name: find
-- $1 run, $2 user, $3 capsule. No row unless it is theirs and can go on; it is under way if that is
-- some time away.
SELECT conversation_id, input,
  greatest(alive_until, statement_timestamp()) - statement_timestamp() AS alive_for
FROM runs
WHERE id = $1 AND user_id = $2 AND capsule_id = $3 AND NOT ended;

-- name: take
-- $1 run, $2 user, $3 capsule, $4 the new holder, $5 the time for which it is claimed. No row unless
-- nobody runs it.
UPDATE runs SET holder = $4, updated_at = statement_timestamp(),
  alive_until = statement_timestamp() + $5
WHERE id = $1 AND user_id = $2 AND capsule_id = $3 AND NOT ended
  AND alive_until <= statement_timestamp()
RETURNING state;

-- name: renew
-- $1 run, $2 holder, $3 the time for which it is claimed. No row if another attempt holds it.
UPDATE runs SET alive_until = statement_timestamp() + $3
WHERE id = $1 AND holder = $2 AND NOT ended
RETURNING true;

-- name: release
-- $1 run, $2 holder.
UPDATE runs SET alive_until = '-infinity' WHERE id = $1 AND holder = $2 AND NOT ended;

-- name: end
-- $1 run, $2 holder.
UPDATE runs SET ended = true, input = NULL, state = NULL, updated_at = statement_timestamp(),
  alive_until = '-infinity'
WHERE id = $1 AND holder = $2;

-- name: runs_of
-- $1 user, $2 capsule or empty, $3 and $4 the place after which the page begins, $5 rows.
SELECT id, capsule_id, created_at, updated_at, checkpoints, ended,
  alive_until > statement_timestamp() AS under_way FROM runs
WHERE user_id = $1 AND ($2 = '' OR capsule_id = $2) AND (created_at, id) < ($3, $4)
ORDER BY created_at DESC, id DESC LIMIT $5;

-- name: prune
-- Without a tenant nothing else is seen; the time is in the policy.
DELETE FROM runs WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM runs LIMIT 1000);
