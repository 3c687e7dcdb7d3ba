-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of tenant_id reads it.

-- name: keep
-- $1 run, $2 user, $3 capsule, $4 conversation, $5 holder, $6 input, $7 state, JSON texts. No row if another
-- attempt holds it, or it has ended.
INSERT INTO runs AS r (id, user_id, capsule_id, conversation_id, holder, input, state)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, id) DO UPDATE
SET state = excluded.state, checkpoints = r.checkpoints + 1, updated_at = statement_timestamp()
WHERE r.holder = excluded.holder AND NOT r.ended
RETURNING checkpoints;

-- name: take
-- $1 run, $2 user, $3 capsule, $4 the new holder. No row unless it is theirs and can go on.
UPDATE runs SET holder = $4, updated_at = statement_timestamp()
WHERE id = $1 AND user_id = $2 AND capsule_id = $3 AND NOT ended
RETURNING conversation_id, input, state;

-- name: end
-- $1 run, $2 holder.
UPDATE runs SET ended = true, input = NULL, state = NULL, updated_at = statement_timestamp()
WHERE id = $1 AND holder = $2;

-- name: runs_of
-- $1 user, $2 capsule or empty, $3 and $4 the place after which the page begins, $5 rows.
SELECT id, capsule_id, created_at, updated_at, checkpoints, ended FROM runs
WHERE user_id = $1 AND ($2 = '' OR capsule_id = $2) AND (created_at, id) < ($3, $4)
ORDER BY created_at DESC, id DESC LIMIT $5;

-- name: prune
-- Without a tenant nothing else is seen; the time is in the policy.
DELETE FROM runs WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM runs LIMIT 1000);
