-- name: lock
-- One appends at a time: each record needs the code of the one before it.
SELECT pg_advisory_xact_lock(hashtext('kari.audit'));

-- name: head
SELECT sequence, code, mac FROM head;

-- name: known
SELECT id, sequence FROM records WHERE id = ANY($1);

-- name: append
INSERT INTO records (sequence, id, happened_at, server, tenant_id, user_id, action, resource, outcome,
  reason, correlation_id, details, mac)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
  $7::text[], $8::text[], $9::integer[], $10::text[], $11::text[], $12::jsonb[], $13::bytea[]);

-- name: set_head
INSERT INTO head (sequence, code, mac) VALUES ($1, $2, $3)
ON CONFLICT (single) DO UPDATE SET sequence = $1, code = $2, mac = $3;

-- name: last
SELECT coalesce(max(sequence), 0) FROM records;

-- name: after
-- $1 place, $2 most.
SELECT * FROM records WHERE sequence > $1 ORDER BY sequence LIMIT $2;

-- name: before_last
-- $1 last place to look at, $2 tenant, $3 user, $4 beginning of the action; empty for all; $5 how many.
SELECT coalesce(min(sequence) - 1, $1) FROM (
  SELECT sequence FROM records
  WHERE sequence <= $1
    AND ($2 = '' OR tenant_id = $2) AND ($3 = '' OR user_id = $3) AND starts_with(action, $4)
  ORDER BY sequence DESC LIMIT $5
) found;

-- name: matching
-- $1 place, $2 last place to look at, $3 tenant, $4 user, $5 beginning of the action; empty for all.
SELECT * FROM records
WHERE sequence > $1 AND sequence <= $2
  AND ($3 = '' OR tenant_id = $3) AND ($4 = '' OR user_id = $4) AND starts_with(action, $5)
ORDER BY sequence LIMIT $6;
