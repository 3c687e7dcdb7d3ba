-- migrate:up

DO $$
BEGIN
  IF to_regrole('kari_file_attachment') IS NULL THEN
    CREATE ROLE kari_file_attachment NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Owns the functions that look at every tenant. Nobody connects with it, nobody inherits from it.
DO $$
BEGIN
  IF to_regrole('kari_file_attachment_sweeper') IS NULL THEN
    CREATE ROLE kari_file_attachment_sweeper NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_file_attachment', 'SET') THEN
    GRANT kari_file_attachment TO CURRENT_USER;
  END IF;
  IF NOT pg_has_role(current_user, 'kari_file_attachment_sweeper', 'SET') THEN
    GRANT kari_file_attachment_sweeper TO CURRENT_USER WITH INHERIT FALSE;
  END IF;
END $$;

CREATE SCHEMA file_attachment;
GRANT USAGE ON SCHEMA file_attachment TO kari_file_attachment, kari_file_attachment_sweeper;

-- Bytes that are kept, once a tenant however many files have them. They lie in the object store, in
-- parts below `prefix`.
CREATE TABLE file_attachment.blobs (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  sha256 text NOT NULL,
  size_bytes bigint NOT NULL,
  prefix text NOT NULL,
  part_names text[] NOT NULL,
  part_sizes integer[] NOT NULL,
  content_type text NOT NULL,
  PRIMARY KEY (tenant_id, sha256)
);

-- Files that are coming in, and those that have, under the id of their upload.
CREATE TABLE file_attachment.uploads (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  user_id text NOT NULL,
  request_id text NOT NULL,
  prefix text NOT NULL,
  name text NOT NULL,
  size_bytes bigint NOT NULL,
  sha256 text NOT NULL,
  conversation_id text NOT NULL,
  strip_metadata boolean NOT NULL,
  part_names text[] NOT NULL DEFAULT '{}',
  part_sizes integer[] NOT NULL DEFAULT '{}',
  received_bytes bigint NOT NULL DEFAULT 0,
  -- Who writes it: a call that goes on takes the place of the one that was cut.
  writer text NOT NULL DEFAULT '',
  file_id text NOT NULL DEFAULT '',
  updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant_id, user_id, request_id)
) WITH (fillfactor = 70);
CREATE INDEX uploads_left ON file_attachment.uploads (updated_at) WHERE file_id = '';

-- Columns of type bytea hold messages of the contract, serialized.
CREATE TABLE file_attachment.files (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  user_id text NOT NULL,
  roles text[] NOT NULL,
  sha256 text NOT NULL,
  name text NOT NULL,
  size_bytes bigint NOT NULL,
  content_type text NOT NULL,
  state text NOT NULL DEFAULT 'quarantined' CHECK (state IN ('quarantined', 'ready', 'refused')),
  refused_because text NOT NULL DEFAULT '',
  conversation_id text NOT NULL,
  strip_metadata boolean NOT NULL,
  correlation_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  reports bytea[] NOT NULL DEFAULT '{}',
  metadata bytea NOT NULL DEFAULT '',
  summary text NOT NULL DEFAULT '',
  chunks integer NOT NULL DEFAULT 0,
  done boolean NOT NULL DEFAULT false,
  claim bigint NOT NULL DEFAULT 0,
  claimed_by text NOT NULL DEFAULT '',
  claim_expires_at timestamptz NOT NULL DEFAULT '-infinity',
  claim_seconds double precision NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, sha256) REFERENCES file_attachment.blobs
) WITH (fillfactor = 70);
CREATE INDEX files_of_user ON file_attachment.files (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX files_of_blob ON file_attachment.files (tenant_id, sha256);
CREATE INDEX files_due ON file_attachment.files (claim_expires_at) WHERE NOT done;

-- Conversations and messages in which files are used. The empty message is the upload for it.
CREATE TABLE file_attachment.uses (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  file_id text NOT NULL,
  conversation_id text NOT NULL,
  message_id text NOT NULL,
  PRIMARY KEY (tenant_id, file_id, conversation_id, message_id),
  FOREIGN KEY (tenant_id, file_id) REFERENCES file_attachment.files ON DELETE CASCADE
);
CREATE INDEX uses_of_conversation ON file_attachment.uses (tenant_id, conversation_id, file_id);

-- Objects that nobody needs any more; taken off once they are erased, whoever dies on the way.
CREATE TABLE file_attachment.erasures (
  prefix text PRIMARY KEY,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> '')
);

ALTER TABLE file_attachment.blobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.uploads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.uses ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.erasures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON file_attachment.blobs USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON file_attachment.uploads USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON file_attachment.files USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON file_attachment.uses USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON file_attachment.erasures
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON file_attachment.blobs, file_attachment.uploads,
  file_attachment.files, file_attachment.uses, file_attachment.erasures TO kari_file_attachment;

CREATE POLICY sweeper ON file_attachment.files TO kari_file_attachment_sweeper USING (true);
CREATE POLICY sweeper ON file_attachment.uploads TO kari_file_attachment_sweeper USING (true);
CREATE POLICY sweeper ON file_attachment.erasures TO kari_file_attachment_sweeper USING (true);
GRANT SELECT, UPDATE ON file_attachment.files TO kari_file_attachment_sweeper;
GRANT SELECT, DELETE ON file_attachment.uploads TO kari_file_attachment_sweeper;
GRANT SELECT, INSERT, DELETE ON file_attachment.erasures TO kari_file_attachment_sweeper;

-- Files of every tenant whose hooks have not come to their end, claimed; ids are all it hands out.
CREATE FUNCTION file_attachment.claim_files(owner text, seconds double precision, most integer,
  wanted text) RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$
  UPDATE files AS f SET claim = f.claim + 1, claimed_by = owner, claim_seconds = seconds,
    claim_expires_at = statement_timestamp() + make_interval(secs => seconds)
  FROM (
    SELECT d.tenant_id, d.id FROM files AS d
    WHERE NOT d.done AND d.claim_expires_at < statement_timestamp() AND (wanted = '' OR d.id = wanted)
    ORDER BY d.claim_expires_at LIMIT most FOR UPDATE SKIP LOCKED
  ) AS due
  WHERE f.tenant_id = due.tenant_id AND f.id = due.id
  RETURNING f.tenant_id, f.id;
$$;

-- What waits to be erased, of every tenant; `settle_erasure` takes one off.
CREATE FUNCTION file_attachment.waiting_erasures(most integer)
RETURNS TABLE (prefix text, tenant_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$ SELECT e.prefix, e.tenant_id FROM erasures AS e LIMIT most $$;

CREATE FUNCTION file_attachment.settle_erasure(erased text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$ DELETE FROM erasures WHERE prefix = erased $$;

-- Uploads that nobody went on with for so long are given up: their bytes wait to be erased.
CREATE FUNCTION file_attachment.give_up_uploads(patience interval) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$
  WITH left_alone AS (
    DELETE FROM uploads WHERE file_id = '' AND updated_at < statement_timestamp() - patience
    RETURNING tenant_id, prefix
  ), erased AS (
    INSERT INTO erasures (prefix, tenant_id) SELECT prefix, tenant_id FROM left_alone RETURNING 1
  )
  SELECT count(*)::integer FROM erased;
$$;

-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA file_attachment TO kari_file_attachment_sweeper;
ALTER FUNCTION file_attachment.claim_files(text, double precision, integer, text)
  OWNER TO kari_file_attachment_sweeper;
ALTER FUNCTION file_attachment.waiting_erasures(integer) OWNER TO kari_file_attachment_sweeper;
ALTER FUNCTION file_attachment.settle_erasure(text) OWNER TO kari_file_attachment_sweeper;
ALTER FUNCTION file_attachment.give_up_uploads(interval) OWNER TO kari_file_attachment_sweeper;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;
REVOKE ALL ON FUNCTION file_attachment.claim_files(text, double precision, integer, text),
  file_attachment.waiting_erasures(integer), file_attachment.settle_erasure(text),
  file_attachment.give_up_uploads(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION file_attachment.claim_files(text, double precision, integer, text),
  file_attachment.waiting_erasures(integer), file_attachment.settle_erasure(text),
  file_attachment.give_up_uploads(interval) TO kari_file_attachment;

-- migrate:down

DROP SCHEMA file_attachment CASCADE;
DO $$
BEGIN
  DROP ROLE kari_file_attachment_sweeper;
  DROP ROLE kari_file_attachment;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
