-- The tenant is in the transaction, as in queries.sql.

-- name: take_file
-- $1 file, $2 user, $3 name. Makes its row if it is new, and locks it: pieces of a file come one call
-- after the other. The name is the owner's to change.
INSERT INTO file_texts AS f (id, user_id, name) VALUES ($1, $2, $3)
ON CONFLICT (id, tenant_id) DO UPDATE SET
  name = CASE WHEN f.user_id = $2 AND NOT f.dropped THEN $3 ELSE f.name END
RETURNING user_id, dropped;

-- name: keep_chunks
-- $1 file, $2 to $5 ids, places, texts and anchors. How many pieces it has by now.
WITH kept AS (
  INSERT INTO file_chunks AS c (id, file_id, place, content, anchor)
  SELECT g.id, $1, g.place, g.content, g.anchor
  FROM unnest($2::text[], $3::int[], $4::text[], $5::bytea[]) AS g (id, place, content, anchor)
  ON CONFLICT (id, tenant_id) DO UPDATE SET content = excluded.content, anchor = excluded.anchor
  RETURNING xmax = 0 AS is_new
)
UPDATE file_texts SET pieces = pieces + (SELECT count(*) FROM kept WHERE is_new)
WHERE id = $1
RETURNING pieces;

-- name: share_files
-- $1 files, $2 conversation, $3 user.
INSERT INTO file_uses (file_id, conversation_id, user_id)
SELECT DISTINCT file_id, $2, $3 FROM unnest($1::text[]) AS file_id
ON CONFLICT DO NOTHING;

-- name: lock_file_to_drop
-- Nobody writes vectors of its pieces meanwhile.
SELECT id FROM file_texts WHERE id = $1 FOR UPDATE;

-- name: drop_file
-- $1 file, $2 user. No row if it is somebody else's, and then nothing is erased.
WITH dropped AS (
  INSERT INTO file_texts AS f (id, user_id, name, dropped) VALUES ($1, $2, '', true)
  ON CONFLICT (id, tenant_id) DO UPDATE SET dropped = true, name = '', pieces = 0
  WHERE f.user_id = $2
  RETURNING id
), chunk AS (
  DELETE FROM file_chunks WHERE file_id IN (SELECT id FROM dropped) RETURNING 1
), use AS (
  DELETE FROM file_uses WHERE file_id IN (SELECT id FROM dropped)
)
SELECT count(*) AS erased FROM chunk HAVING EXISTS (SELECT FROM dropped);

-- name: readable_file
-- $1 file, $2 user, $3 conversation through which it is read, empty for none.
SELECT f.name, f.pieces FROM file_texts AS f
WHERE f.id = $1 AND NOT f.dropped AND (f.user_id = $2 OR EXISTS (
  SELECT FROM file_uses AS u
  WHERE u.file_id = f.id AND u.user_id = f.user_id AND u.conversation_id = $3));

-- name: chunks_from
-- $1 file, $2 first place, $3 rows, $4 bytes. No texts beyond the first that together have so many
-- bytes, or beyond the first text if that has more.
SELECT place, anchor,
  CASE WHEN bytes <= $4 OR bytes = octet_length(content) THEN content ELSE '' END AS content
FROM (
  SELECT place, anchor, content, sum(octet_length(content)) OVER (ORDER BY place) AS bytes
  FROM file_chunks WHERE file_id = $1 AND place >= $2
  ORDER BY place LIMIT $3
) AS found
ORDER BY place;

-- name: texts_of_chunks
-- $1 pieces, $2 characters.
SELECT c.id, f.name, left(c.content, $2) AS beginning
FROM file_chunks AS c JOIN file_texts AS f ON f.id = c.file_id
WHERE c.id = ANY($1)
ORDER BY c.id;

-- name: lock_chunks
-- Those that are there, their files kept from being dropped until the transaction ends.
SELECT c.id, c.tenant_id, c.file_id
FROM file_texts AS f JOIN file_chunks AS c ON c.file_id = f.id
WHERE c.id = ANY($1) AND NOT f.dropped
ORDER BY f.id, c.id
FOR KEY SHARE OF f;

-- name: file_chunks_to_index
SELECT tenant_id, id FROM file_chunks_to_index($1, $2, $3);

-- name: file_chunks_of_all
SELECT file_chunks_of_all();
