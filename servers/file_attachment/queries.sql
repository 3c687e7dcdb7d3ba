-- The tenant is in the transaction (`kari.tenant`): row-level security adds it to every query, and
-- the default of every tenant_id column reads it.

-- name: begin_upload
-- $1 user, $2 request, $3 prefix, $4 name, $5 size, $6 sha256, $7 conversation, $8 strip, $9 writer,
-- $10 about its size, $11 file in whose place it comes.
-- The writer of now takes it over; what was received stays. A size that nobody knew yet is that of
-- whoever knows it first.
INSERT INTO uploads AS u (user_id, request_id, prefix, name, size_bytes, sha256, conversation_id,
  strip_metadata, writer, expected_bytes, replaces)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, user_id, request_id) DO UPDATE SET writer = excluded.writer,
  size_bytes = CASE WHEN u.size_bytes = 0 AND u.file_id = '' AND u.digest = ''
    THEN excluded.size_bytes ELSE u.size_bytes END,
  updated_at = statement_timestamp()
RETURNING *, greatest(received_bytes, size_bytes, expected_bytes) AS reserved;

-- name: upload
SELECT * FROM uploads WHERE user_id = $1 AND request_id = $2;

-- name: add_part
-- $1 user, $2 request, $3 writer, $4 name of the part, $5 its size, $6 how many of the last parts it
-- holds as well. No row if another call has taken the upload over.
UPDATE uploads AS u SET part_names = u.part_names[:cardinality(u.part_names) - $6] || $4::text,
  part_sizes = u.part_sizes[:cardinality(u.part_sizes) - $6] || $5::integer,
  received_bytes = u.received_bytes + $5 - (
    SELECT coalesce(sum(size), 0)
    FROM unnest(u.part_sizes[cardinality(u.part_sizes) - $6 + 1:]) AS held (size)
  ),
  updated_at = statement_timestamp()
WHERE user_id = $1 AND request_id = $2 AND writer = $3
RETURNING received_bytes;

-- name: drop_upload
-- $1 user, $2 request, $3 writer. No row if another call has taken the upload over.
DELETE FROM uploads WHERE user_id = $1 AND request_id = $2 AND writer = $3 AND file_id = ''
RETURNING prefix;

-- name: give_up_idle
-- $1 user, $2 request that stays, $3 how long nobody has gone on with the others.
DELETE FROM uploads WHERE user_id = $1 AND request_id <> $2 AND file_id = ''
  AND updated_at < statement_timestamp() - $3::interval
RETURNING prefix;

-- name: complete_upload
-- $1 user, $2 request, $3 writer, $4 sha256.
UPDATE uploads SET digest = $4, updated_at = statement_timestamp()
WHERE user_id = $1 AND request_id = $2 AND writer = $3 AND replaces <> ''
RETURNING digest;

-- name: looked_at
-- Whether hooks look at a file of the user.
SELECT EXISTS (SELECT FROM files WHERE id = $1 AND user_id = $2 AND NOT done);

-- name: lock_upload
SELECT file_id FROM uploads WHERE user_id = $1 AND request_id = $2 AND writer = $3 FOR UPDATE;

-- name: lock_bytes
-- One at a time keeps or drops the same bytes of a tenant.
SELECT pg_advisory_xact_lock(hashtextextended(current_setting('kari.tenant') || $1, 16));

-- name: lock_quota
-- Before any other lock: what changes bytes that count does so one at a time in a tenant.
SELECT pg_advisory_xact_lock(hashtextextended(current_setting('kari.tenant'), 17));

-- name: used
-- $1 user, $2 an upload of theirs that does not count. Bytes of the user and of the tenant, each
-- counted once, with those of uploads under way: what was announced, or came. How many of these the
-- user has.
SELECT coalesce((SELECT bytes FROM usage WHERE user_id = $1), 0)::bigint + coming.own AS own,
  coalesce((SELECT bytes FROM usage WHERE user_id = ''), 0)::bigint + coming.tenant AS tenant,
  coming.uploads
FROM (
  SELECT coalesce(sum(bytes), 0)::bigint AS tenant,
    coalesce(sum(bytes) FILTER (WHERE user_id = $1), 0)::bigint AS own,
    (count(*) FILTER (WHERE user_id = $1))::integer AS uploads
  FROM (
    SELECT user_id, greatest(received_bytes, size_bytes, expected_bytes) AS bytes
    FROM uploads WHERE file_id = '' AND replaces = '' AND NOT (user_id = $1 AND request_id = $2)
  ) AS open
) AS coming;

-- name: used_by_user
-- The same of a user alone.
SELECT coalesce((SELECT bytes FROM usage WHERE user_id = $1), 0)::bigint + coalesce((
  SELECT sum(greatest(received_bytes, size_bytes, expected_bytes))
  FROM uploads WHERE user_id = $1 AND file_id = '' AND replaces = ''
), 0)::bigint;

-- name: has_bytes
SELECT EXISTS (SELECT FROM blobs WHERE sha256 = $1) AS tenant,
  EXISTS (SELECT FROM files WHERE sha256 = $1 AND user_id = $2) AS own;

-- name: keep_bytes
-- $1 sha256, $2 user, $3 request, $4 prefix below which the tenant's are gone. No row if the tenant
-- has them.
INSERT INTO blobs AS b (sha256, size_bytes, prefix, part_names, part_sizes)
SELECT $1, received_bytes, prefix, part_names, part_sizes FROM uploads
WHERE user_id = $2 AND request_id = $3
ON CONFLICT (tenant_id, sha256) DO UPDATE SET prefix = excluded.prefix,
  part_names = excluded.part_names, part_sizes = excluded.part_sizes WHERE b.prefix = $4
RETURNING sha256;

-- name: bytes_known
-- Where the tenant's bytes of a digest lie.
SELECT prefix, part_names FROM blobs WHERE sha256 = $1;

-- name: add_file
-- $1 id, $2 user, $3 roles, $4 sha256, $5 name, $6 size, $7 type, $8 conversation, $9 strip,
-- $10 correlation id.
INSERT INTO files (id, user_id, roles, sha256, name, size_bytes, content_type, conversation_id,
  strip_metadata, correlation_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: finish_upload
-- $1 user, $2 request, $3 file, $4 sha256 of what came: that of the file may become another.
UPDATE uploads SET file_id = $3, sha256 = $4, updated_at = statement_timestamp()
WHERE user_id = $1 AND request_id = $2;

-- name: use_file
INSERT INTO uses (file_id, conversation_id, message_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: file
-- $1 file. With the conversations in which it is used.
SELECT f.*, ARRAY(
  SELECT DISTINCT u.conversation_id FROM uses AS u WHERE u.file_id = f.id ORDER BY 1
) AS conversation_ids
FROM files AS f WHERE f.id = $1;

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

-- name: has_another
-- Whether another file of a user has the same bytes.
SELECT EXISTS (SELECT FROM files WHERE user_id = $1 AND sha256 = $2 AND id <> $3);

-- name: forget_upload
DELETE FROM uploads WHERE file_id = $1;

-- name: drop_replacing
-- Uploads that were to come in the place of a file.
DELETE FROM uploads WHERE replaces = $1 RETURNING prefix;

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
-- $1 file, $2 reports, $3 state, $4 refused_because, $5 done, $6 metadata, $7 summary, $8 chunks,
-- $9 whether a hook has come to its end, $10 whether one is under way from now on, if that is said,
-- $11 whether the claim is over, $12 whether it was in vain.
UPDATE files SET reports = $2, state = $3, refused_because = $4, done = $5, metadata = $6,
  summary = $7, chunks = $8, claims_in_vain = CASE WHEN $9 THEN 0 ELSE claims_in_vain END + $12::boolean::integer,
  under_way = NOT $11 AND coalesce($10, under_way AND NOT $9),
  claim_expires_at = statement_timestamp()
    + make_interval(secs => CASE WHEN $11 THEN 0 ELSE claim_seconds END)
WHERE id = $1;

-- name: lock_replacing
-- $1 user, $2 request, $3 file. Bytes that are to come in its place, if all of them are here.
SELECT prefix, digest, received_bytes FROM uploads
WHERE user_id = $1 AND request_id = $2 AND replaces = $3 AND digest <> '' FOR UPDATE;

-- name: forget_replacing
DELETE FROM uploads WHERE user_id = $1 AND request_id = $2;

-- name: replace_bytes
UPDATE files SET sha256 = $2, size_bytes = $3 WHERE id = $1;
