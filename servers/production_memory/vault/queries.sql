-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query. Whose
-- a memory is, is its `user_id`; the domain's is empty.

-- name: lock_owner
-- Whoever writes memories of an owner comes one after the other.
SELECT pg_advisory_xact_lock(
  hashtextextended('vault:' || current_setting('kari.tenant') || ':' || $1, 0));

-- name: request_before
SELECT digest, outcome, memory_id, replaced_id FROM memory_requests
WHERE user_id = $1 AND action = $2 AND request_id = $3;

-- name: note_request
INSERT INTO memory_requests (user_id, action, request_id, digest, outcome, memory_id, replaced_id)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: holding_like
-- What the write gate compares with: $1 owner, $2 meaning, $3 slot, $4 ids of what is near.
SELECT * FROM memories
WHERE user_id = $1 AND valid_to IS NULL
  AND (meaning = $2 OR ($3 <> '' AND slot = $3) OR id = ANY($4))
ORDER BY id;

-- name: add_memory
INSERT INTO memories (id, user_id, kind, content, meaning, importance, origin, slot, value, negated,
  evidence_message_ids, conversation_id, valid_from, valid_to, replaced_by, confirmed_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $13, $16)
RETURNING *;

-- name: replace_memories
-- $1 ids, $2 until when they held, $3 what took their place.
UPDATE memories SET valid_to = greatest($2, valid_from), replaced_by = $3, due_at = NULL
WHERE id = ANY($1);

-- name: confirm_memory
-- $1 id, $2 when it was stated again: its age counts from there.
UPDATE memories SET confirmed_at = greatest(confirmed_at, $2), archived = false,
  due_at = statement_timestamp()
WHERE id = $1
RETURNING *;

-- name: memory
SELECT * FROM memories WHERE id = $1;

-- name: memories_by_id
-- $1 ids, $2 owners.
SELECT * FROM memories WHERE id = ANY($1) AND user_id = ANY($2);

-- name: owner_has_memories
-- $1 owners, $2 kinds, or none for all.
SELECT EXISTS (
  SELECT FROM memories WHERE user_id = ANY($1) AND valid_to IS NULL
    AND ($2::text[] = '{}' OR kind = ANY($2))
);

-- name: memories_before
-- $1 owner, $2 kinds or none for all, $3 whether those too that no longer hold, $4 id, $5 rows.
SELECT * FROM memories
WHERE user_id = $1 AND ($2::text[] = '{}' OR kind = ANY($2)) AND ($3 OR valid_to IS NULL)
  AND id < $4
ORDER BY id DESC LIMIT $5;

-- name: chain_of
-- $1 ids, $2 owners. All versions of these memories: what they took the place of, and what took
-- theirs.
WITH RECURSIVE chain (id) AS (
  SELECT id FROM memories WHERE id = ANY($1) AND user_id = ANY($2)
  UNION
  SELECT m.id FROM chain AS c
  JOIN memories AS k ON k.id = c.id
  JOIN memories AS m ON m.id = k.replaced_by OR m.replaced_by = k.id
  WHERE m.user_id = k.user_id
)
SELECT id FROM chain ORDER BY id;

-- name: lock_to_erase
-- In the order in which everybody locks several.
SELECT id FROM memories WHERE id = ANY($1) ORDER BY id FOR UPDATE;

-- name: erase_memories
-- $1 all versions of them: of a request that replaced one, what took its place is among them as well.
WITH emptied AS (
  UPDATE memory_requests SET digest = '' WHERE memory_id = ANY($1)
)
DELETE FROM memories WHERE id = ANY($1);

-- name: receipt_before
SELECT * FROM forget_receipts WHERE user_id = $1 AND request_id = $2;

-- name: receipt
SELECT * FROM forget_receipts WHERE id = $1 AND user_id = $2;

-- name: add_receipt
INSERT INTO forget_receipts (id, user_id, request_id, asked_ids, memory_ids)
VALUES ($1, $2, $3, $4, $5)
RETURNING *;

-- name: vectors_erased
UPDATE forget_receipts SET vectors_erased_at = coalesce(vectors_erased_at, statement_timestamp())
WHERE id = $1
RETURNING *;

-- name: texts_of_memories
SELECT id, content FROM memories WHERE id = ANY($1) AND valid_to IS NULL;

-- name: lock_memories
-- Those that hold, kept from being erased until the transaction ends. Reads and corrections go on.
SELECT id, tenant_id, user_id, kind FROM memories WHERE id = ANY($1) AND valid_to IS NULL
ORDER BY id
FOR KEY SHARE;

-- name: memories_due
SELECT tenant_id, id FROM memories_due($1, $2);

-- name: traces_of
SELECT id, kind, importance, reads, valid_from, confirmed_at, last_read_at, archived
FROM memories WHERE id = ANY($1);

-- name: fade
-- $1 to $4 ids, kinds, whether archived, when due next.
UPDATE memories AS m SET kind = f.kind, archived = f.archived, due_at = f.due_at,
  origin = CASE WHEN m.kind = f.kind THEN m.origin ELSE 'consolidated' END
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::timestamptz[])
  AS f (id, kind, archived, due_at)
WHERE m.id = f.id;

-- name: taught_turn
SELECT t.id, t.tenant_id, t.user_id, t.roles, t.correlation_id, t.conversation_id,
  m.id AS message_id, m.content, m.created_at
FROM turns AS t JOIN messages AS m ON m.id = t.user_message_id
WHERE t.id = $1;

-- name: calls_that_worked
SELECT tool_id, call FROM tool_steps
WHERE turn_id = $1 AND state = 'ended' AND success ORDER BY round, place;

-- name: said_before
-- $1 conversation, $2 messages, $3 characters. What the assistant said just before each of them.
SELECT left(b.content, $3) AS beginning
FROM messages AS m
JOIN messages AS b ON b.conversation_id = m.conversation_id
  AND b.sequence BETWEEN m.sequence - 2 AND m.sequence - 1
WHERE m.conversation_id = $1 AND m.id = ANY($2) AND b.role = 'assistant'
ORDER BY b.sequence;

-- name: count_messages
SELECT count(*) FROM messages WHERE conversation_id = $1 AND id = ANY($2);
