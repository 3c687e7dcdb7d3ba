-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of every tenant_id column reads it.

-- name: lock_thread
-- $1 conversation, $2 sender. Makes the thread if it is new. The no-op update locks the row, whoever
-- made it; then the sender is locked, so that their turns are counted one beginning after the other.
INSERT INTO threads AS t (conversation_id) VALUES ($1)
ON CONFLICT (tenant_id, conversation_id) DO UPDATE SET last_sequence = t.last_sequence
RETURNING last_sequence,
  pg_advisory_xact_lock(hashtextextended(current_setting('kari.tenant') || ':' || $2, 0));

-- name: locked_turn
-- The turn as it is once its thread is locked, which is locked first, as everywhere; then the turn.
-- A row that changed while it was waited for is read again. No row if there is no such turn.
SELECT t.* FROM threads AS h JOIN turns AS t USING (conversation_id)
WHERE t.id = $1
FOR UPDATE;

-- name: lock_known_thread
SELECT last_sequence FROM threads WHERE conversation_id = $1 FOR UPDATE;

-- name: look_before_beginning
-- $1 conversation, $2 request id, $3 message that is replied to, $4 sender. One row, always.
SELECT
  (SELECT id FROM turns WHERE conversation_id = $1 AND request_id = $2) AS repeated_turn_id,
  (SELECT id FROM turns WHERE conversation_id = $1
     AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing'))
    AS led_turn_id,
  (SELECT id FROM turns WHERE conversation_id = $1
     AND state = 'awaiting_approval' AND lease_owner = '') AS asking_turn_id,
  (SELECT id FROM turns WHERE conversation_id = $1 AND state = 'accepted'
     ORDER BY goes_first DESC, user_sequence LIMIT 1) AS waiting_turn_id,
  (SELECT count(*) FROM turns WHERE conversation_id = $1 AND state = 'accepted') AS waiting_turns,
  (SELECT count(*) FROM turns WHERE user_id = $4
     AND state IN ('accepted', 'assembling', 'generating', 'running_tool', 'awaiting_approval',
       'committing')) AS turns_of_user,
  ($3 = '' OR EXISTS (SELECT FROM messages WHERE id = $3 AND conversation_id = $1))
    AS reply_exists;

-- name: begin_turn
WITH thread AS (
  UPDATE threads SET last_sequence = last_sequence + 1, touched_at = statement_timestamp(),
    last_user_id = $4, summary_look_at = CASE WHEN last_sequence + 1 = rolling_at
      THEN statement_timestamp() ELSE coalesce(summary_look_at, statement_timestamp()) END
  WHERE conversation_id = $1
  RETURNING last_sequence
), message AS (
  INSERT INTO messages (id, conversation_id, sequence, role, content, user_id, turn_id,
    reply_to_message_id, mentioned_user_ids, author, file_ids)
  SELECT $2, $1, last_sequence, 'user', $3, $4, $5, $6, $7, $19, $21 FROM thread
  RETURNING id, conversation_id, sequence
), author AS (
  INSERT INTO authors (conversation_id, author) SELECT $1, $19 WHERE $19 <> ''
  ON CONFLICT DO NOTHING
)
INSERT INTO turns (id, conversation_id, request_id, request_digest, state, user_message_id,
  user_sequence, user_id, roles, correlation_id, model, instructions, goes_first, lease_owner,
  lease_number, lease_expires_at, teaches)
SELECT $5, conversation_id, $8, $9, $10, id, sequence, $4, $11, $12, $13, $14, $15, $16, $17,
  statement_timestamp() + $18::interval, $20
FROM message
RETURNING *;

-- name: request_cancel
UPDATE turns SET cancel_requested = true WHERE id = $1;

-- name: cancel_waiting
-- Ends a turn that nobody leads.
UPDATE turns SET cancel_requested = true, state = 'cancelled', ended_at = statement_timestamp()
WHERE id = $1 AND state = 'accepted';

-- name: turn
SELECT * FROM turns WHERE id = $1;

-- name: active_turn
-- The one that is led, else the one that comes next.
SELECT * FROM turns WHERE id = coalesce(
  (SELECT id FROM turns WHERE conversation_id = $1
     AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')),
  (SELECT id FROM turns WHERE conversation_id = $1 AND state = 'accepted'
     ORDER BY goes_first DESC, user_sequence LIMIT 1)
);

-- name: claim_waiting
-- The next waiting turn of a conversation that is free.
UPDATE turns SET state = 'assembling', lease_owner = $2, lease_number = lease_number + 1,
  lease_expires_at = statement_timestamp() + $3::interval
WHERE id = (
  SELECT id FROM turns WHERE conversation_id = $1 AND state = 'accepted'
  ORDER BY goes_first DESC, user_sequence LIMIT 1
) AND NOT EXISTS (
  SELECT FROM turns WHERE conversation_id = $1
    AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
)
RETURNING *;

-- name: claimed_before
-- The turn that a leader has claimed and, as far as is stored, not begun with.
SELECT * FROM turns WHERE conversation_id = $1 AND state = 'assembling' AND lease_owner = $2;

-- name: claim_silent
-- The turn whose leader let its lease run out, or whose user did not answer in time, in the state in
-- which it was left.
UPDATE turns SET lease_owner = $2, lease_number = lease_number + 1,
  lease_expires_at = statement_timestamp() + $3::interval
WHERE conversation_id = $1
  AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
  AND lease_expires_at < statement_timestamp()
RETURNING *;

-- name: abandoned_conversations
SELECT tenant_id, conversation_id FROM abandoned_conversations($1, $2);

-- name: enter_tenant
SELECT set_config('kari.tenant', $1, true);

-- name: renew_lease
UPDATE turns SET lease_expires_at = statement_timestamp() + $3::interval
WHERE id = $1 AND lease_number = $2 AND lease_owner <> ''
  AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
RETURNING cancel_requested;

-- name: advance_turn
UPDATE turns SET state = 'generating', lease_expires_at = statement_timestamp() + $3::interval,
  selection = coalesce($4, selection), manifest = coalesce($5, manifest)
WHERE id = $1 AND lease_number = $2 AND lease_owner <> ''
  AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
RETURNING cancel_requested;

-- name: advance_turn_reading
-- The same, for a prompt with memories in it ($6): each counts as read, once for a manifest. Whose
-- they are is looked at as well.
WITH before AS (
  SELECT id, manifest FROM turns WHERE id = $1 FOR UPDATE
), advanced AS (
  UPDATE turns AS t SET state = 'generating',
    lease_expires_at = statement_timestamp() + $3::interval,
    selection = coalesce($4, selection), manifest = coalesce($5, t.manifest)
  FROM before AS b
  WHERE t.id = b.id AND t.lease_number = $2 AND t.lease_owner <> ''
    AND t.state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
  RETURNING t.cancel_requested, t.user_id, b.manifest IS DISTINCT FROM t.manifest AS is_new
), locked AS (
  SELECT m.id FROM memories AS m, advanced AS a
  WHERE a.is_new AND m.id = ANY($6) AND m.user_id IN ('', a.user_id)
  ORDER BY m.id
  FOR NO KEY UPDATE OF m
), read AS (
  UPDATE memories AS m SET reads = reads + 1, last_read_at = statement_timestamp(),
    archived = false, due_at = CASE WHEN valid_to IS NULL THEN statement_timestamp() END
  FROM locked AS l WHERE m.id = l.id
)
SELECT cancel_requested FROM advanced;

-- name: finish_turn
-- $1 turn, $2 conversation, whose thread is locked, $3 state, $4 to $6 usage, degradations, error;
-- then the answer: $7 id, empty if there is none, $8 content, $9 model, $10 tokens, $11 message that
-- it answers, $12 partial, $13 apology, $14 tools that were used for it. The turn, the answer's
-- sequence, and whether others wait.
WITH thread AS (
  UPDATE threads SET last_sequence = last_sequence + 1, touched_at = statement_timestamp(),
    summary_look_at = CASE WHEN last_sequence + 1 = rolling_at
      THEN statement_timestamp() ELSE coalesce(summary_look_at, statement_timestamp()) END
  WHERE conversation_id = $2 AND $7 <> ''
  RETURNING last_sequence
), answer AS (
  INSERT INTO messages (id, conversation_id, sequence, role, content, turn_id, model_used,
    tokens_used, reply_to_message_id, partial, apology, tools_called)
  SELECT $7, $2, last_sequence, 'assistant', $8, $1, $9, $10, $11, $12, $13, $14 FROM thread
  RETURNING sequence
)
UPDATE turns SET state = $3, ended_at = statement_timestamp(), assistant_message_id = $7,
  usage = $4, degradations = $5, error = $6
WHERE id = $1
RETURNING *, (SELECT sequence FROM answer) AS answer_sequence,
  EXISTS (SELECT FROM turns WHERE conversation_id = $2 AND state = 'accepted') AS others_wait;

-- name: message
SELECT id, conversation_id, sequence, role, content, created_at, user_id, turn_id, model_used,
  tokens_used, reply_to_message_id, mentioned_user_ids, partial, apology, author, tools_called,
  file_ids
FROM messages WHERE id = $1;

-- name: messages_by_id
-- $1 conversation, $2 ids, $3 bytes. In the order of the ids. Every message is given, but no texts
-- beyond the first that together have so many bytes, or beyond the first text if that has more.
SELECT id, conversation_id, sequence, role, created_at, user_id, turn_id, model_used, tokens_used,
  reply_to_message_id, mentioned_user_ids, partial, apology, author, tools_called, file_ids,
  CASE WHEN bytes <= $3 OR bytes = octet_length(content) THEN content ELSE '' END AS content
FROM (
  SELECT m.*, asked.place, sum(octet_length(m.content)) OVER (ORDER BY asked.place) AS bytes
  FROM unnest($2::text[]) WITH ORDINALITY AS asked (id, place)
  JOIN messages AS m ON m.id = asked.id AND m.conversation_id = $1
) AS found
ORDER BY place;

-- name: messages_before
-- $1 conversation, $2 sequence, $3 rows, $4 bytes. The latest first: as many as have so many bytes
-- of text together, or one that has more. (The length of a text is known without reading it.)
SELECT * FROM (
  SELECT id, conversation_id, sequence, role, content, created_at, user_id, turn_id, model_used,
    tokens_used, reply_to_message_id, mentioned_user_ids, partial, apology, author, tools_called,
    file_ids,
    sum(octet_length(content)) OVER (ORDER BY sequence DESC) AS bytes
  FROM messages WHERE conversation_id = $1 AND sequence < $2
  ORDER BY sequence DESC LIMIT $3
) AS found
WHERE bytes <= $4 OR bytes = octet_length(content)
ORDER BY sequence DESC;

-- name: imported_before
SELECT message_ids FROM imports WHERE conversation_id = $1 AND request_id = $2;

-- name: import_messages
-- $1 conversation, whose thread is locked, $2 user, $3 to $7 ids, roles, texts, times and authors of
-- the messages in order, $8 request id.
WITH thread AS (
  UPDATE threads SET last_sequence = last_sequence + cardinality($3::text[]),
    touched_at = statement_timestamp(), last_user_id = $2, summary_look_at = CASE
      WHEN last_sequence < rolling_at AND last_sequence + cardinality($3::text[]) >= rolling_at
      THEN statement_timestamp() ELSE coalesce(summary_look_at, statement_timestamp()) END
  WHERE conversation_id = $1
  RETURNING last_sequence - cardinality($3::text[]) AS before
), given AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamp[], $7::text[])
    WITH ORDINALITY AS g (id, role, content, said_at, author, place)
), message AS (
  INSERT INTO messages (id, conversation_id, sequence, role, content, created_at, user_id, turn_id,
    author)
  SELECT id, $1, before + place, role, content, said_at AT TIME ZONE 'UTC',
    CASE role WHEN 'user' THEN $2 ELSE '' END, '', author
  FROM given, thread
), author AS (
  INSERT INTO authors (conversation_id, author)
  SELECT DISTINCT $1, author FROM given WHERE author <> ''
  ON CONFLICT DO NOTHING
)
INSERT INTO imports (conversation_id, request_id, message_ids) VALUES ($1, $8, $3);

-- name: texts_of
-- What is embedded of messages, with the message before, and of summaries: only the beginning of long
-- texts. A summary is as old as its last message.
SELECT m.id, m.tenant_id, m.conversation_id, m.role, m.created_at, m.author,
  left(m.content, $2) AS beginning, b.author AS author_before, b.role AS role_before,
  left(b.content, $3) AS beginning_before
FROM messages AS m
LEFT JOIN messages AS b ON b.conversation_id = m.conversation_id AND b.sequence = m.sequence - 1
WHERE m.id = ANY($1) AND m.content <> ''
UNION ALL
SELECT id, tenant_id, conversation_id, 'summary', ended_at, '',
  left(array_to_string(key_topics, ', ') || E'\n' || content, $2), NULL, NULL, NULL
FROM summaries WHERE id = ANY($1) AND content <> '';

-- name: messages_to_index
SELECT tenant_id, id FROM messages_to_index($1, $2, $3);

-- name: messages_of_all
SELECT messages_of_all();

-- name: memories_to_index
SELECT tenant_id, id FROM memories_to_index($1, $2, $3);

-- name: memories_of_all
SELECT memories_of_all();

-- name: summaries_to_index
SELECT tenant_id, id FROM summaries_to_index($1, $2, $3);

-- name: summaries_of_all
SELECT summaries_of_all();

-- name: last_job
SELECT coalesce(max(id), 0) FROM pgqueuer;

-- name: jobs_left
-- $1 kinds, $2 the last job that counts: those of turns that go on meanwhile come behind it.
SELECT count(*) FROM pgqueuer
WHERE status IN ('queued', 'picked') AND entrypoint = ANY($1::text[]) AND id <= $2;

-- name: put_back
-- As they were.
UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, updated = now()
WHERE id = ANY($1::bigint[]) AND status = 'picked';

-- name: put_behind
-- $1 job, $2 how long it waits, $3 attempts that count. Behind all others of its kind.
UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, updated = now(),
  priority = (SELECT min(priority) - 1 FROM pgqueuer AS other
    WHERE other.entrypoint = pgqueuer.entrypoint),
  attempts = attempts + $3, execute_after = now() + $2::interval
WHERE id = $1 AND status = 'picked';

-- name: count_jobs
SELECT entrypoint AS kind,
  count(*) FILTER (WHERE status = 'queued') AS waiting,
  count(*) FILTER (WHERE status = 'picked') AS running,
  count(*) FILTER (WHERE status = 'failed') AS failed,
  min(created) FILTER (WHERE status IN ('queued', 'picked')) AS oldest_at,
  coalesce(extract(epoch FROM now() -
    min(created) FILTER (WHERE status IN ('queued', 'picked'))), 0)::float8 AS oldest_seconds
FROM pgqueuer GROUP BY entrypoint ORDER BY entrypoint;

-- name: failed_jobs
-- $1 the place before which, $2 most. The latest queued first, with what each failed with last.
SELECT id, entrypoint AS kind, created AS queued_at, updated AS failed_at, attempts, payload, headers,
  (SELECT traceback->>'exception_type' FROM pgqueuer_log
   WHERE job_id = pgqueuer.id AND status = 'failed' ORDER BY created DESC LIMIT 1) AS error
FROM pgqueuer
WHERE status = 'failed' AND id < $1 ORDER BY id DESC LIMIT $2;

-- name: retry_jobs
-- $1 jobs, empty for all that were set aside. How many.
WITH retried AS (
  UPDATE pgqueuer SET status = 'queued', attempts = 0, priority = 0, execute_after = now(),
    updated = now(), queue_manager_id = NULL
  WHERE status = 'failed' AND (cardinality($1::bigint[]) = 0 OR id = ANY($1))
  RETURNING 1
)
SELECT count(*) FROM retried;

-- name: discard_jobs
-- How many.
WITH discarded AS (
  DELETE FROM pgqueuer WHERE status = 'failed' AND id = ANY($1::bigint[]) RETURNING 1
)
SELECT count(*) FROM discarded;

-- name: forget_old_jobs
-- But not what is said about those that were set aside.
DELETE FROM pgqueuer_log AS l WHERE l.created < now() - $1::interval
  AND NOT EXISTS (SELECT FROM pgqueuer AS q WHERE q.id = l.job_id AND q.status = 'failed');
