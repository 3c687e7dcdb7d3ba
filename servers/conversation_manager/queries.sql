-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of every tenant_id column reads it.

-- name: create_conversation
-- No row if the request id is known; the other transaction is over by then.
WITH conversation AS (
  INSERT INTO conversations (id, created_by, request_id, request_digest, title)
  VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tenant_id, created_by, request_id) DO NOTHING
  RETURNING *
), participant AS (
  INSERT INTO participants (conversation_id, user_id, updated_at)
  SELECT id, created_by, updated_at FROM conversation
)
SELECT conversation.*, ARRAY[created_by] AS participant_ids FROM conversation;

-- name: created_before
SELECT id, request_digest FROM conversations WHERE created_by = $1 AND request_id = $2;

-- name: lock_conversation
SELECT version FROM conversations WHERE id = $1 FOR UPDATE;

-- name: conversation
SELECT c.*, ARRAY(
  SELECT p.user_id FROM participants AS p WHERE p.conversation_id = c.id
  ORDER BY p.joined_at, p.user_id
) AS participant_ids
FROM conversations AS c WHERE c.id = $1;

-- name: is_participant
SELECT EXISTS (SELECT FROM participants WHERE conversation_id = $1 AND user_id = $2);

-- name: conversations_of
-- $1 user, $2 and $3 the place after which the page begins, $4 rows. The latest first.
SELECT c.*, ARRAY(
  SELECT q.user_id FROM participants AS q WHERE q.conversation_id = c.id
  ORDER BY q.joined_at, q.user_id
) AS participant_ids
FROM participants AS p
JOIN conversations AS c ON c.tenant_id = p.tenant_id AND c.id = p.conversation_id
WHERE p.user_id = $1 AND (p.updated_at, p.conversation_id) < ($2, $3)
ORDER BY p.updated_at DESC, p.conversation_id DESC
LIMIT $4;

-- name: write_conversation
UPDATE conversations SET version = $2, title = $3, mode = $4, model = $5,
  system_instructions = $6, persona = $7, pinned_message_ids = $8, context_cleared_through = $9,
  metadata = $10, updated_at = greatest(updated_at, statement_timestamp())
WHERE id = $1
RETURNING updated_at;

-- name: remove_participants
DELETE FROM participants WHERE conversation_id = $1 AND user_id = ANY($2);

-- name: add_participants
INSERT INTO participants (conversation_id, user_id)
SELECT $1, user_id FROM unnest($2::text[]) AS user_id;

-- name: touch_participants
UPDATE participants SET updated_at = $2 WHERE conversation_id = $1;

-- name: add_updates
INSERT INTO updates (conversation_id, user_id, request_id, request_digest, correlation_id,
  version, field, change)
SELECT $1, $2, $3, $4, $5, version, field, change
FROM unnest($6::bigint[], $7::text[], $8::bytea[]) AS t (version, field, change);

-- name: made_before
SELECT request_digest FROM updates WHERE conversation_id = $1 AND request_id = $2 LIMIT 1;

-- name: updates_before
-- The latest first.
SELECT * FROM updates WHERE conversation_id = $1 AND version < $2
ORDER BY version DESC LIMIT $3;

-- name: updates_of_request
-- $1 conversation, $2 and $3 as above, $4 request. The latest first.
SELECT * FROM updates WHERE conversation_id = $1 AND version < $2 AND request_id = $4
ORDER BY version DESC LIMIT $3;

-- name: record_snapshot
-- $1 conversation, $2 snapshot, $3 user. No row unless the user takes part in the conversation.
WITH recorded AS (
  UPDATE conversations SET snapshot = $2, updated_at = greatest(updated_at, statement_timestamp())
  WHERE id = $1 AND EXISTS (SELECT FROM participants WHERE conversation_id = $1 AND user_id = $3)
  RETURNING id, updated_at
)
UPDATE participants AS p SET updated_at = recorded.updated_at
FROM recorded WHERE p.conversation_id = recorded.id
RETURNING p.user_id;

-- name: add_proposal
-- No row if the request id is known; the other transaction is over by then.
INSERT INTO proposals (id, conversation_id, user_id, request_id, request_digest, changes,
  expires_at)
VALUES ($1, $2, $3, $4, $5, $6, statement_timestamp() + $7::interval)
ON CONFLICT (tenant_id, conversation_id, request_id) DO NOTHING
RETURNING id, expires_at;

-- name: proposed_before
SELECT id, expires_at, request_digest FROM proposals
WHERE conversation_id = $1 AND request_id = $2;

-- name: forget_proposals
DELETE FROM proposals
WHERE conversation_id = $1 AND expires_at < statement_timestamp() - interval '1 day';

-- name: proposal
SELECT *, expires_at < statement_timestamp() AS expired FROM proposals WHERE id = $1;

-- name: lock_proposal
SELECT *, expires_at < statement_timestamp() AS expired FROM proposals WHERE id = $1 FOR UPDATE;

-- name: answer_proposal
UPDATE proposals SET accepted = $2 WHERE id = $1;
