-- The tenant is in the transaction, as in queries.sql.

-- name: record_tool_steps
-- $1 turn, $2 lease number, $3 lease; then of the calls in order: $4 ids, $5 rounds, $6 tools, $7
-- states, $8 calls, $9 texts before them, $10 results, $11 whether they succeeded, $12 until when there
-- can be an answer; $13 tokens so far. Adds new ones. Others only get further: what the user answered is not asked again,
-- what was refused does not run, and what has ended stays as it is.
WITH turn AS (
  UPDATE turns SET state = 'running_tool', uses_tools = true, usage = coalesce($13, usage),
    lease_expires_at = statement_timestamp() + $3::interval
  WHERE id = $1 AND lease_number = $2 AND lease_owner <> ''
    AND state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
  RETURNING cancel_requested
), step AS (
  INSERT INTO tool_steps AS s (turn_id, call_id, place, round, tool_id, state, call, text_before,
    result, success, answer_by)
  SELECT $1, g.call_id, g.place + coalesce((SELECT max(place) FROM tool_steps WHERE turn_id = $1), 0),
    g.round, g.tool_id, g.state, g.call, g.text_before, g.result, g.success, g.answer_by
  FROM turn, unnest($4::text[], $5::integer[], $6::text[], $7::text[], $8::bytea[], $9::text[],
    $10::bytea[], $11::boolean[], $12::timestamptz[]) WITH ORDINALITY
    AS g (call_id, round, tool_id, state, call, text_before, result, success, answer_by, place)
  ON CONFLICT (turn_id, call_id, tenant_id) DO UPDATE SET state = excluded.state,
    result = excluded.result, success = excluded.success,
    answer_by = coalesce(excluded.answer_by, s.answer_by)
  WHERE (s.state, excluded.state) IN (
    ('running', 'ended'), ('awaiting_approval', 'denied'), ('awaiting_approval', 'ended'),
    ('approved', 'running'), ('approved', 'ended'), ('denied', 'ended')
  ) OR (s.state = 'running' AND excluded.state = 'awaiting_approval' AND s.answered_at IS NULL)
)
SELECT cancel_requested FROM turn;

-- name: await_answers
-- Leaves the turn to its user, until the last question has lapsed; no row if none is open.
UPDATE turns SET state = 'awaiting_approval', lease_owner = '', lease_expires_at = asked.until
FROM (
  SELECT max(answer_by) AS until FROM tool_steps WHERE turn_id = $1 AND state = 'awaiting_approval'
) AS asked
WHERE id = $1 AND asked.until IS NOT NULL
RETURNING id;

-- name: answer_step
-- $1 turn, $2 call, $3 state. No row if there is no such question, any more.
UPDATE tool_steps SET state = $3, answered_at = statement_timestamp()
WHERE turn_id = $1 AND call_id = $2 AND state = 'awaiting_approval'
  AND answer_by > statement_timestamp()
RETURNING call_id;

-- name: answered_step
SELECT state, result FROM tool_steps
WHERE turn_id = $1 AND call_id = $2 AND answered_at IS NOT NULL;

-- name: lead_if_answered
-- $1 turn, $2 owner, $3 lease, $4 roles that its user has now. The turn: leased, or waiting until the last
-- question has lapsed that is still open. It goes on without the roles that its user has lost meanwhile.
UPDATE turns SET lease_owner = CASE WHEN asked.until IS NULL THEN $2 ELSE '' END,
  lease_number = lease_number + CASE WHEN asked.until IS NULL THEN 1 ELSE 0 END,
  lease_expires_at = coalesce(asked.until, statement_timestamp() + $3::interval),
  roles = ARRAY(
    SELECT role FROM unnest(roles) AS role WHERE role = ANY ($4::text[]) OR 'chat.admin' = ANY ($4::text[])
  )
FROM (
  SELECT max(answer_by) AS until FROM tool_steps
  WHERE turn_id = $1 AND state = 'awaiting_approval' AND answer_by > statement_timestamp()
) AS asked
WHERE id = $1
RETURNING turns.*;

-- name: steps_of_turn
SELECT call, round, text_before, state, result, answer_by, answered_at
FROM tool_steps WHERE turn_id = $1 ORDER BY round, place;

-- name: pending_steps
SELECT call, round, text_before, state, result, answer_by, answered_at
FROM tool_steps WHERE turn_id = $1 AND state = 'awaiting_approval' ORDER BY round, place;

-- name: tools_used
-- Those of calls that have ended.
SELECT call_id, tool_id, success FROM tool_steps
WHERE turn_id = $1 AND state = 'ended' ORDER BY round, place;

-- name: text_so_far
-- What the model wrote before its calls.
SELECT coalesce(string_agg(text_before, '' ORDER BY round, place), '') FROM tool_steps
WHERE turn_id = $1;
