-- The tenant is in the views, as in queries.sql.

-- name: file_scope
-- $1 user, $2 conversation, empty for all, $3 files, empty for all, $4 conversation that is named where a
-- file is used in several, $5 and $6 times, $7 most. The files whose pieces the user may find, the latest
-- first: their own, and those that their owners used in conversations in which the user takes part.
WITH used AS (
  SELECT u.file_id, u.user_id, u.conversation_id
  FROM file_uses AS u JOIN participants AS p USING (conversation_id)
  WHERE p.user_id = $1 AND ($2 = '' OR u.conversation_id = $2)
    AND (cardinality($3::text[]) = 0 OR u.file_id = ANY($3))
), mine AS (
  SELECT id FROM file_texts
  WHERE user_id = $1 AND $2 = '' AND (cardinality($3::text[]) = 0 OR id = ANY($3))
  UNION
  SELECT file_id FROM used
)
SELECT f.id, f.name, f.pieces, coalesce(n.conversation_id, '') AS conversation_id
FROM mine JOIN file_texts AS f USING (id) LEFT JOIN LATERAL (
  SELECT conversation_id FROM used AS u WHERE u.file_id = f.id AND u.user_id = f.user_id
  ORDER BY conversation_id = $4 DESC, conversation_id DESC LIMIT 1
) AS n ON true
WHERE f.pieces > 0 AND f.created_at >= $5 AND f.created_at < $6
  AND (n.conversation_id IS NOT NULL OR (f.user_id = $1 AND $2 = ''))
ORDER BY f.id DESC LIMIT $7;

-- name: piece_candidates
-- $1 files, $2 the lexemes, each as a tsquery, at most 12, $3 any of them, $4 what has to hold
-- (websearch syntax, may be empty), $5 pieces in all, $6 most. The weights of the lexemes, and the pieces
-- that have the most of them, as with messages.
WITH hit AS MATERIALIZED (
  SELECT c.id, c.file_id, c.place,
    coalesce((c.words @@ ($2::text[])[1]::tsquery)::int << 0, 0) |
    coalesce((c.words @@ ($2::text[])[2]::tsquery)::int << 1, 0) |
    coalesce((c.words @@ ($2::text[])[3]::tsquery)::int << 2, 0) |
    coalesce((c.words @@ ($2::text[])[4]::tsquery)::int << 3, 0) |
    coalesce((c.words @@ ($2::text[])[5]::tsquery)::int << 4, 0) |
    coalesce((c.words @@ ($2::text[])[6]::tsquery)::int << 5, 0) |
    coalesce((c.words @@ ($2::text[])[7]::tsquery)::int << 6, 0) |
    coalesce((c.words @@ ($2::text[])[8]::tsquery)::int << 7, 0) |
    coalesce((c.words @@ ($2::text[])[9]::tsquery)::int << 8, 0) |
    coalesce((c.words @@ ($2::text[])[10]::tsquery)::int << 9, 0) |
    coalesce((c.words @@ ($2::text[])[11]::tsquery)::int << 10, 0) |
    coalesce((c.words @@ ($2::text[])[12]::tsquery)::int << 11, 0) AS bits
  FROM file_chunks AS c
  WHERE c.words @@ $3::tsquery AND c.file_id = ANY($1)
    AND ($4 = '' OR numnode(websearch_to_tsquery('english', $4)) = 0
      OR c.words @@ websearch_to_tsquery('english', $4))
), combination AS MATERIALIZED (
  SELECT bits, count(*)::float8 AS pieces FROM hit GROUP BY bits
), weighed AS MATERIALIZED (
  SELECT place, ln(1 + (greatest($5, found) - found + 0.5) / (found + 0.5)) AS weight
  FROM generate_series(0, cardinality($2::text[]) - 1) AS place, LATERAL (
    SELECT coalesce(sum(pieces) FILTER (WHERE bits >> place & 1 = 1), 0) AS found
    FROM combination
  ) AS counted
), scored AS (
  SELECT bits, sum(weight) FILTER (WHERE bits >> place & 1 = 1) AS score
  FROM combination, weighed GROUP BY bits
)
SELECT ARRAY(SELECT weight::float8 FROM weighed ORDER BY place) AS weights,
  ARRAY(SELECT id FROM hit JOIN scored USING (bits)
    ORDER BY score DESC, file_id DESC, hit.place LIMIT $6) AS ids;

-- name: weighed_pieces
-- $1 pieces, $2 files, of which the first $3 pieces are wanted as well, $4 the lexemes, each as a tsquery,
-- $5 their weights, $6 what has to hold, $7 files that may be looked at. The sum of the weights of the
-- lexemes that each piece has.
SELECT c.id, c.file_id, c.place, (SELECT coalesce(sum(q.weight), 0)
  FROM unnest($4::text[], $5::float8[]) AS q (lexeme, weight)
  WHERE c.words @@ q.lexeme::tsquery)::float8 AS weight
FROM file_chunks AS c
WHERE (c.id = ANY($1) OR (c.file_id = ANY($2) AND c.place < $3)) AND c.file_id = ANY($7)
  AND ($6 = '' OR numnode(websearch_to_tsquery('english', $6)) = 0
    OR c.words @@ websearch_to_tsquery('english', $6));

-- name: shown_pieces
-- $1 pieces, $2 any of the lexemes, may be empty, $3 options of ts_headline, $4 files that may be looked
-- at. The headline says where the words stand; empty if it does not have the same characters as the text.
SELECT c.id, c.file_id, c.place, c.anchor, t.content,
  CASE WHEN translate(h.headline, E'\x02\x03', '') = s.untagged THEN h.headline ELSE '' END AS headline
FROM file_chunks AS c, translate(c.content, E'\x02\x03', '') AS t (content),
  translate(t.content, '<', ' ') AS s (untagged),
  LATERAL (SELECT CASE WHEN $2 = '' THEN '' ELSE
    ts_headline('english', s.untagged, $2::tsquery, $3) END) AS h (headline)
WHERE c.id = ANY($1) AND c.file_id = ANY($4);

-- name: anchors
-- $1 file, $2 first place.
SELECT place, anchor FROM file_chunks WHERE file_id = $1 AND place >= $2 ORDER BY place;

-- name: pieces_from
-- $1 file, $2 first place, $3 places, or none for all, $4 rows.
SELECT place, anchor, content FROM file_chunks
WHERE file_id = $1 AND place >= $2 AND (cardinality($3::int[]) = 0 OR place = ANY($3))
ORDER BY place LIMIT $4;
