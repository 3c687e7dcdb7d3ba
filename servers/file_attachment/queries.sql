-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of every tenant_id column reads it.

-- name: begin_upload
-- $1 user, $2 request, $3 prefix, $4 name, $5 size, $6 sha256, $7 conversation, $8 strip, $9 writer.
-- The writer of now takes it over; what was received stays.
INSERT INTO uploads AS u (user_id, request_id, prefix, name, size_bytes, sha256, conversation_id,
  strip_metadata, writer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, user_id, request_id) DO UPDATE SET writer = excluded.writer,
  updated_at = statement_timestamp()
RETURNING *;

-- name: upload
SELECT * FROM uploads WHERE user_id = $1 AND request_id = $2;

-- name: add_part
-- $1 user, $2 request, $3 writer, $4 name of the part, $5 its size. No row if another call has taken
-- the upload over.
UPDATE uploads SET part_names = array_append(part_names, $4),
  part_sizes = array_append(part_sizes, $5::integer),
  received_bytes = received_bytes + $5, updated_at = statement_timestamp()
WHERE user_id = $1 AND request_id = $2 AND writer = $3
RETURNING received_bytes;

-- name: lock_upload
SELECT file_id FROM uploads WHERE user_id = $1 AND request_id = $2 AND writer = $3 FOR UPDATE;

-- name: lock_bytes
-- One at a time keeps or drops the same bytes of a tenant.
SELECT pg_advisory_xact_lock(hashtextextended(current_setting('kari.tenant') || $1, 16));

-- name: lock_quota
SELECT pg_advisory_xact_lock(hashtextextended(current_setting('kari.tenant'), 17));

-- name: used
-- Bytes of a user, each counted once, and of the tenant.
SELECT
  (SELECT coalesce(sum(size_bytes), 0)::bigint FROM (
    SELECT DISTINCT sha256, size_bytes FROM files WHERE user_id = $1
  ) AS own) AS own,
  (SELECT coalesce(sum(size_bytes), 0)::bigint FROM blobs) AS tenant;

-- name: has_bytes
SELECT EXISTS (SELECT FROM blobs WHERE sha256 = $1) AS tenant,
  EXISTS (SELECT FROM files WHERE sha256 = $1 AND user_id = $2) AS own;

-- name: keep_bytes
-- No row if the tenant has them.
INSERT INTO blobs (sha256, size_bytes, prefix, part_names, part_sizes, content_type)
SELECT $1, received_bytes, prefix, part_names, part_sizes, $2 FROM uploads
WHERE user_id = $3 AND request_id = $4
ON CONFLICT (tenant_id, sha256) DO NOTHING RETURNING sha256;

-- name: add_file
-- $1 id, $2 user, $3 roles, $4 sha256, $5 name, $6 size, $7 type, $8 conversation, $9 strip,
-- $10 correlation id.
INSERT INTO files (id, user_id, roles, sha256, name, size_bytes, content_type, conversation_id,
  strip_metadata, correlation_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: finish_upload
UPDATE uploads SET file_id = $3, updated_at = statement_timestamp()
WHERE user_id = $1 AND request_id = $2;

-- name: use_file
INSERT INTO uses (file_id, conversation_id, message_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: file
-- $1 file. With the conversations in which it is used.
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f WHERE f.id = $1;

-- name: files
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f WHERE f.id = ANY($1);

-- name: bytes_of
SELECT b.prefix, b.part_names, b.part_sizes FROM files AS f
JOIN blobs AS b ON b.tenant_id = f.tenant_id AND b.sha256 = f.sha256
WHERE f.id = $1;

-- name: files_of_user
-- $1 user, $2 and $3 the place after which the page begins, $4 rows. The latest first.
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f
WHERE f.user_id = $1 AND (f.created_at, f.id) < ($2, $3)
ORDER BY f.created_at DESC, f.id DESC LIMIT $4;

-- name: files_of_conversation
-- $1 conversation, $2 and $3 the place after which the page begins, $4 rows. The latest first.
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f
WHERE f.id IN (SELECT file_id FROM uses WHERE conversation_id = $1)
  AND (f.created_at, f.id) < ($2, $3)
ORDER BY f.created_at DESC, f.id DESC LIMIT $4;

-- name: lock_file
SELECT sha256 FROM files WHERE id = $1 AND user_id = $2 FOR UPDATE;

-- name: delete_file
DELETE FROM files WHERE id = $1;

-- name: forget_upload
DELETE FROM uploads WHERE file_id = $1;

-- name: drop_bytes
-- Of bytes that no file has any more: what there is to erase.
DELETE FROM blobs AS b WHERE b.sha256 = $1
  AND NOT EXISTS (SELECT FROM files AS f WHERE f.sha256 = b.sha256)
RETURNING b.prefix;

-- name: add_erasure
INSERT INTO erasures (prefix) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: claim_files
SELECT tenant_id, id FROM claim_files($1, $2, $3, $4);

-- name: waiting_erasures
SELECT prefix, tenant_id FROM waiting_erasures($1);

-- name: settle_erasure
SELECT settle_erasure($1);

-- name: give_up_uploads
SELECT give_up_uploads($1);

-- name: lock_claimed
-- Of a file whose hooks the caller runs.
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f WHERE f.id = $1 AND f.claim = $2 AND NOT f.done FOR UPDATE;

-- name: record_hooks
-- $1 file, $2 reports, $3 state, $4 refused_because, $5 done, $6 metadata, $7 summary, $8 chunks.
UPDATE files SET reports = $2, state = $3, refused_because = $4, done = $5, metadata = $6,
  summary = $7, chunks = $8,
  claim_expires_at = statement_timestamp() + make_interval(secs => claim_seconds)
WHERE id = $1;

-- name: finished_upload
SELECT f.sha256, f.size_bytes, f.content_type, f.id FROM uploads AS u
JOIN files AS f ON f.tenant_id = u.tenant_id AND f.id = u.file_id
WHERE u.user_id = $1 AND u.request_id = $2;

-- name: replace_bytes
UPDATE files SET sha256 = $2, size_bytes = $3 WHERE id = $1;
