-- The tenant is in the views, which read it from the session (`kari.tenant`).
--
-- What has to hold may be only stop words (numnode is 0 then): no text has those, so nothing has to.

-- name: scope
-- $1 user, $2 conversation, empty for all, $3 conversation that is known from place $4 on, empty for
-- none. The conversations that are looked at, the latest first, how many messages they have together,
-- how many of these are not known, and who speaks in them.
WITH mine AS (
  SELECT conversation_id FROM participants
  WHERE user_id = $1 AND ($2 = '' OR conversation_id = $2)
)
SELECT
  ARRAY(SELECT conversation_id FROM mine ORDER BY conversation_id DESC) AS conversation_ids,
  (SELECT coalesce(sum(last_sequence), 0)::float8 FROM threads JOIN mine USING (conversation_id))
    AS total,
  (SELECT coalesce(sum(CASE conversation_id WHEN $3 THEN least(last_sequence, $4::bigint - 1)
      ELSE last_sequence END), 0)::float8
    FROM threads JOIN mine USING (conversation_id)) AS unknown,
  ARRAY(SELECT DISTINCT author FROM authors JOIN mine USING (conversation_id) ORDER BY author)
    AS authors;

-- name: lexemes
-- In the order in which they stand in the text.
SELECT lexeme FROM unnest(to_tsvector('english', $1)) ORDER BY positions[1], lexeme;

-- name: candidates
-- $1 user, $2 conversation, empty for all, $3 the lexemes, each as a tsquery, at most 12, $4 any of
-- them, $5 what has to hold (websearch syntax, may be empty), $6 and $7 times, $8 roles, empty for
-- all, $9 sender, empty for all, $10 messages in all, $11 most. The weights of the lexemes (inverse
-- document frequencies, counted over what was found), and the messages that have the most of them.
-- Which lexemes a message has is a number of twelve bits: half of all messages may have one, but
-- only so many combinations are counted and weighed.
WITH hit AS MATERIALIZED (
  SELECT m.id,
    coalesce((m.words @@ ($3::text[])[1]::tsquery)::int << 0, 0) |
    coalesce((m.words @@ ($3::text[])[2]::tsquery)::int << 1, 0) |
    coalesce((m.words @@ ($3::text[])[3]::tsquery)::int << 2, 0) |
    coalesce((m.words @@ ($3::text[])[4]::tsquery)::int << 3, 0) |
    coalesce((m.words @@ ($3::text[])[5]::tsquery)::int << 4, 0) |
    coalesce((m.words @@ ($3::text[])[6]::tsquery)::int << 5, 0) |
    coalesce((m.words @@ ($3::text[])[7]::tsquery)::int << 6, 0) |
    coalesce((m.words @@ ($3::text[])[8]::tsquery)::int << 7, 0) |
    coalesce((m.words @@ ($3::text[])[9]::tsquery)::int << 8, 0) |
    coalesce((m.words @@ ($3::text[])[10]::tsquery)::int << 9, 0) |
    coalesce((m.words @@ ($3::text[])[11]::tsquery)::int << 10, 0) |
    coalesce((m.words @@ ($3::text[])[12]::tsquery)::int << 11, 0) AS bits
  FROM messages AS m
  WHERE m.words @@ $4::tsquery
    AND m.conversation_id IN (SELECT conversation_id FROM participants WHERE user_id = $1)
    AND ($2 = '' OR m.conversation_id = $2)
    AND ($5 = '' OR numnode(websearch_to_tsquery('english', $5)) = 0
      OR m.words @@ websearch_to_tsquery('english', $5))
    AND m.created_at >= $6 AND m.created_at < $7
    AND (cardinality($8::text[]) = 0 OR m.role = ANY($8))
    AND ($9 = '' OR m.user_id = $9)
), combination AS MATERIALIZED (
  SELECT bits, count(*)::float8 AS messages FROM hit GROUP BY bits
), weighed AS MATERIALIZED (
  SELECT place, ln(1 + ($10 - found + 0.5) / (found + 0.5)) AS weight
  FROM generate_series(0, cardinality($3::text[]) - 1) AS place, LATERAL (
    SELECT coalesce(sum(messages) FILTER (WHERE bits >> place & 1 = 1), 0) AS found
    FROM combination
  ) AS counted
), scored AS (
  SELECT bits, messages, sum(weight) FILTER (WHERE bits >> place & 1 = 1) AS score
  FROM combination, weighed GROUP BY bits, messages
), best AS MATERIALIZED (
  SELECT bits, score FROM (
    SELECT bits, score, sum(messages) OVER (ORDER BY score DESC)
      - sum(messages) OVER (PARTITION BY score) AS better
    FROM scored
  ) AS summed
  WHERE better < $11
)
SELECT ARRAY(SELECT weight::float8 FROM weighed ORDER BY place) AS weights,
  ARRAY(SELECT id FROM hit JOIN best USING (bits) ORDER BY score DESC, id DESC LIMIT $11) AS ids;

-- name: turns
-- $1 messages, $2 user, $3 lexemes, then as above: $4 what has to hold, $5 and $6 times, $7 roles,
-- $8 sender, $9 conversation that is known from place $10 on. These messages and their neighbours, with how often they have each lexeme and which of
-- the lexemes name their day; `wanted` are those that may be found. Neighbours are among them: an
-- answer is looked for by the words of its question.
WITH near AS (
  SELECT DISTINCT m.conversation_id, m.sequence + step AS sequence
  FROM messages AS m, unnest(ARRAY[-1, 0, 1]) AS step
  WHERE m.id = ANY($1)
    AND m.conversation_id IN (SELECT conversation_id FROM participants WHERE user_id = $2)
)
SELECT m.id, m.conversation_id, m.sequence, m.author, length(m.words) AS length,
  ARRAY(SELECT u.lexeme FROM unnest(m.words) AS u WHERE u.lexeme = ANY($3) ORDER BY u.lexeme)
    AS lexemes,
  ARRAY(SELECT coalesce(cardinality(u.positions), 1) FROM unnest(m.words) AS u
    WHERE u.lexeme = ANY($3) ORDER BY u.lexeme) AS counts,
  ARRAY(SELECT d FROM unnest(tsvector_to_array(to_tsvector('english',
    to_char(m.created_at AT TIME ZONE 'UTC', 'FMDD FMMonth Mon YYYY')))) AS d WHERE d = ANY($3))
    AS date,
  (($4 = '' OR numnode(websearch_to_tsquery('english', $4)) = 0
      OR m.words @@ websearch_to_tsquery('english', $4))
    AND m.created_at >= $5 AND m.created_at < $6
    AND (cardinality($7::text[]) = 0 OR m.role = ANY($7))
    AND ($8 = '' OR m.user_id = $8)
    AND NOT (m.conversation_id = $9 AND m.sequence >= $10)) AS wanted
FROM near JOIN messages AS m USING (conversation_id, sequence)
ORDER BY m.id;

-- name: shown
-- $1 messages, $2 any of the lexemes, may be empty, $3 options of ts_headline for whole texts and $4
-- for parts of long ones, $5 characters of a text that is shown whole, $6 of one that is looked into.
-- `start` is where the shown part begins, in characters. ts_headline would leave tags out, so it is
-- given spaces for what begins them: `headline` says where the words stand, `content` what is shown.
SELECT id, conversation_id, sequence, role, user_id, author, created_at,
  CASE WHEN at > 0 THEN headline ELSE left(text, $5) END AS headline,
  CASE WHEN at > 0 THEN substr(text, at, length(translate(headline, E'\x02\x03', '')))
    ELSE left(text, $5) END AS content,
  greatest(at - 1, 0) AS start
FROM (
  SELECT m.id, m.conversation_id, m.sequence, m.role, m.user_id, m.author, m.created_at, t.text,
    h.headline, strpos(s.untagged, translate(h.headline, E'\x02\x03', '')) AS at
  FROM messages AS m, translate(m.content, E'\x02\x03', '') AS t (text),
    translate(t.text, '<', ' ') AS s (untagged),
    LATERAL (SELECT CASE
      WHEN $2 = '' THEN left(s.untagged, $5)
      WHEN length(t.text) <= $5 THEN ts_headline('english', s.untagged, $2::tsquery, $3)
      ELSE ts_headline('english', left(s.untagged, $6), $2::tsquery, $4)
    END) AS h (headline)
  WHERE m.id = ANY($1)
) AS found;

-- name: summaries
-- $1 summaries, $2 user, $3 conversation, empty for all, $4 the lexemes, each as a tsquery, $5 their
-- weights, $6 any of them, empty for none, $7 what has to hold (websearch syntax, may be empty), $8 and
-- $9 times, $10 most. These summaries, and those that have the most of the lexemes by weight, with the
-- sum of the weights of those that they have. A summary fits a time if any of its messages may.
WITH fitting AS (
  SELECT s.id, s.conversation_id, s.kind, s.content, s.key_topics, s.intents, s.created_at,
    s.model_used, s.first_message_id, s.last_message_id, s.first_sequence, s.last_sequence, (SELECT coalesce(sum(q.weight), 0) FROM unnest($4::text[], $5::float8[])
    AS q (lexeme, weight) WHERE s.words @@ q.lexeme::tsquery) AS weight
  FROM summaries AS s
  WHERE (s.id = ANY($1) OR ($6 <> '' AND s.words @@ $6::tsquery))
    AND s.conversation_id IN (SELECT conversation_id FROM participants WHERE user_id = $2)
    AND ($3 = '' OR s.conversation_id = $3)
    AND ($7 = '' OR numnode(websearch_to_tsquery('english', $7)) = 0
      OR s.words @@ websearch_to_tsquery('english', $7))
    AND s.ended_at >= $8 AND s.began_at < $9
)
SELECT id, conversation_id, kind, content, key_topics, intents, created_at, model_used,
  first_message_id, last_message_id, first_sequence, last_sequence, weight
FROM fitting
WHERE id = ANY($1) OR id IN (SELECT id FROM fitting ORDER BY weight DESC, id DESC LIMIT $10);
