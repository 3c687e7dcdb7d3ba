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
WITH hit AS MATERIALIZED (
  SELECT m.id,
    (m.words @@ ($3::text[])[1]::tsquery)::int AS h1,
    (m.words @@ ($3::text[])[2]::tsquery)::int AS h2,
    (m.words @@ ($3::text[])[3]::tsquery)::int AS h3,
    (m.words @@ ($3::text[])[4]::tsquery)::int AS h4,
    (m.words @@ ($3::text[])[5]::tsquery)::int AS h5,
    (m.words @@ ($3::text[])[6]::tsquery)::int AS h6,
    (m.words @@ ($3::text[])[7]::tsquery)::int AS h7,
    (m.words @@ ($3::text[])[8]::tsquery)::int AS h8,
    (m.words @@ ($3::text[])[9]::tsquery)::int AS h9,
    (m.words @@ ($3::text[])[10]::tsquery)::int AS h10,
    (m.words @@ ($3::text[])[11]::tsquery)::int AS h11,
    (m.words @@ ($3::text[])[12]::tsquery)::int AS h12
  FROM messages AS m
  WHERE m.words @@ $4::tsquery
    AND m.conversation_id IN (SELECT conversation_id FROM participants WHERE user_id = $1)
    AND ($2 = '' OR m.conversation_id = $2)
    AND ($5 = '' OR numnode(websearch_to_tsquery('english', $5)) = 0
      OR m.words @@ websearch_to_tsquery('english', $5))
    AND m.created_at >= $6 AND m.created_at < $7
    AND (cardinality($8::text[]) = 0 OR m.role = ANY($8))
    AND ($9 = '' OR m.user_id = $9)
), counted AS (
  SELECT
    coalesce(sum(h1), 0)::float8 AS d1,
    coalesce(sum(h2), 0)::float8 AS d2,
    coalesce(sum(h3), 0)::float8 AS d3,
    coalesce(sum(h4), 0)::float8 AS d4,
    coalesce(sum(h5), 0)::float8 AS d5,
    coalesce(sum(h6), 0)::float8 AS d6,
    coalesce(sum(h7), 0)::float8 AS d7,
    coalesce(sum(h8), 0)::float8 AS d8,
    coalesce(sum(h9), 0)::float8 AS d9,
    coalesce(sum(h10), 0)::float8 AS d10,
    coalesce(sum(h11), 0)::float8 AS d11,
    coalesce(sum(h12), 0)::float8 AS d12
  FROM hit
), weighed AS (
  SELECT
    ln(1 + ($10 - d1 + 0.5) / (d1 + 0.5)) AS w1,
    ln(1 + ($10 - d2 + 0.5) / (d2 + 0.5)) AS w2,
    ln(1 + ($10 - d3 + 0.5) / (d3 + 0.5)) AS w3,
    ln(1 + ($10 - d4 + 0.5) / (d4 + 0.5)) AS w4,
    ln(1 + ($10 - d5 + 0.5) / (d5 + 0.5)) AS w5,
    ln(1 + ($10 - d6 + 0.5) / (d6 + 0.5)) AS w6,
    ln(1 + ($10 - d7 + 0.5) / (d7 + 0.5)) AS w7,
    ln(1 + ($10 - d8 + 0.5) / (d8 + 0.5)) AS w8,
    ln(1 + ($10 - d9 + 0.5) / (d9 + 0.5)) AS w9,
    ln(1 + ($10 - d10 + 0.5) / (d10 + 0.5)) AS w10,
    ln(1 + ($10 - d11 + 0.5) / (d11 + 0.5)) AS w11,
    ln(1 + ($10 - d12 + 0.5) / (d12 + 0.5)) AS w12
  FROM counted
)
SELECT ARRAY[w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12] AS weights,
  ARRAY(
    SELECT id FROM hit
    ORDER BY coalesce(h1 * w1, 0) + coalesce(h2 * w2, 0) + coalesce(h3 * w3, 0) + coalesce(h4 * w4,
      0) + coalesce(h5 * w5, 0) + coalesce(h6 * w6, 0) + coalesce(h7 * w7, 0) + coalesce(h8 *
      w8, 0) + coalesce(h9 * w9, 0) + coalesce(h10 * w10, 0) + coalesce(h11 * w11, 0) +
      coalesce(h12 * w12, 0) DESC, id DESC
    LIMIT $11
  ) AS ids
FROM weighed;

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
-- `start` is where the shown part begins, in characters. ts_headline leaves tags out: a text with
-- tags in it is shown as it is, without marks.
SELECT id, conversation_id, sequence, role, user_id, author, created_at,
  CASE WHEN at > 0 THEN headline ELSE left(text, $5) END AS headline, greatest(at - 1, 0) AS start
FROM (
  SELECT m.id, m.conversation_id, m.sequence, m.role, m.user_id, m.author, m.created_at, t.text,
    h.headline, strpos(t.text, translate(h.headline, E'\x02\x03', '')) AS at
  FROM messages AS m, translate(m.content, E'\x02\x03', '') AS t (text),
    LATERAL (SELECT CASE
      WHEN $2 = '' THEN left(t.text, $5)
      WHEN length(t.text) <= $5 THEN ts_headline('english', t.text, $2::tsquery, $3)
      ELSE ts_headline('english', left(t.text, $6), $2::tsquery, $4)
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
