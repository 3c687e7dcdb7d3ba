-- The tenant is in the transaction, as in queries.sql.

-- name: claim_summaries
-- $1 messages of a rolling summary, $2 rest, $3 fewest and $4 most messages of an episodic one, $5 how
-- long the claim holds, $6 conversations to look at, $7 most to claim. Of every tenant.
SELECT * FROM claim_summaries($1, $2, $3, $4, $5, $6, $7);

-- name: covered
-- How far a conversation is summarized; its thread is locked.
SELECT rolling_through, episodic_through FROM threads WHERE conversation_id = $1 FOR UPDATE;

-- name: summary_at
SELECT * FROM summaries WHERE conversation_id = $1 AND kind = $2 AND first_sequence = $3;

-- name: write_summary
-- $1 id, $2 conversation, $3 kind, $4 text, $5 topics, $6 intents, serialized, and $7 their texts, $8
-- model, $9 and $10 first and last message, $11 and $12 their sequences. No row if these messages do not
-- stand there. The conversation is looked at again at once: more of it may be due.
WITH given AS (
  SELECT f.created_at AS began_at, l.created_at AS ended_at
  FROM messages AS f, messages AS l
  WHERE f.conversation_id = $2 AND f.sequence = $11 AND f.id = $9
    AND l.conversation_id = $2 AND l.sequence = $12 AND l.id = $10
), thread AS (
  UPDATE threads SET summary_look_at = statement_timestamp(), summary_claims = 0,
    rolling_through = CASE $3 WHEN 'rolling' THEN $12 ELSE rolling_through END,
    episodic_through = CASE $3 WHEN 'episodic' THEN $12 ELSE episodic_through END
  WHERE conversation_id = $2 AND EXISTS (SELECT FROM given)
)
INSERT INTO summaries (id, conversation_id, kind, content, key_topics, intents, model_used,
  first_message_id, last_message_id, first_sequence, last_sequence, began_at, ended_at, words)
SELECT $1, $2, $3, $4, $5, $6, $8, $9, $10, $11, $12, began_at, ended_at,
  setweight(to_tsvector('english', array_to_string($5::text[], ' ')), 'A')
    || to_tsvector('english', $4 || ' ' || array_to_string($7::text[], ' '))
FROM given
RETURNING *;

-- name: summaries_before
-- $1 conversation, $2 kind, empty for all, $3 and $4 last sequence and id of the one before, $5 rows.
SELECT * FROM summaries
WHERE conversation_id = $1 AND ($2 = '' OR kind = $2) AND (last_sequence, id) < ($3::bigint, $4)
ORDER BY last_sequence DESC, id DESC LIMIT $5;

-- name: summaries_by_id
SELECT s.* FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
JOIN summaries AS s USING (id) ORDER BY place;
