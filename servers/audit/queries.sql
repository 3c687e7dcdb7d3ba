-- name: head
SELECT sequence, code, mac FROM head;

-- name: ends
-- The end as it was noted, and the last record; what is not there is NULL.
SELECT h.sequence, h.code, h.mac, r.sequence AS last_sequence, r.mac AS last_code
FROM (SELECT) AS one LEFT JOIN head AS h ON true LEFT JOIN (
  SELECT sequence, mac FROM records ORDER BY sequence DESC LIMIT 1
) AS r ON true;

-- name: known
SELECT id, sequence FROM records WHERE id = ANY($1);

-- name: append
-- $1, $2: where the trail ends for who writes; nothing is written, and nothing returned, if it ends
-- somewhere else by now. $3, $4, $5: its new end.
WITH moved AS (
  INSERT INTO head (sequence, code, mac)
  SELECT $3::bigint, $4::bytea, $5::bytea WHERE $1::bigint = 0 OR EXISTS (SELECT FROM head)
  ON CONFLICT (single) DO UPDATE SET sequence = $3, code = $4, mac = $5
    WHERE head.sequence = $1 AND head.code = $2::bytea
  RETURNING sequence
), added AS (
  INSERT INTO records (sequence, id, happened_at, server, tenant_id, user_id, action, resource, outcome,
    reason, correlation_id, details, mac)
  SELECT new.* FROM moved, unnest($6::bigint[], $7::text[], $8::timestamptz[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::integer[], $15::text[], $16::text[], $17::jsonb[],
    $18::bytea[]) AS new
)
SELECT sequence FROM moved;

-- name: last
SELECT coalesce(max(sequence), 0) FROM records;

-- name: code_at
SELECT mac FROM records WHERE sequence = $1;

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
