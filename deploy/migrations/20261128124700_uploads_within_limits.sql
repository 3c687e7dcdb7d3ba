-- migrate:up

-- Uploads whose bytes come in the place of a file's are no files of their own: `replaces` is that
-- file, `digest` the SHA-256 of what came once all of it has. `expected_bytes` is about how large an
-- upload will be where nobody knows it exactly.
ALTER TABLE file_attachment.uploads
  ADD COLUMN expected_bytes bigint NOT NULL DEFAULT 0,
  ADD COLUMN replaces text NOT NULL DEFAULT '',
  ADD COLUMN digest text NOT NULL DEFAULT '';
CREATE INDEX uploads_open ON file_attachment.uploads (tenant_id, user_id) WHERE file_id = '';
CREATE INDEX uploads_of_file ON file_attachment.uploads (tenant_id, file_id) WHERE file_id <> '';
CREATE INDEX uploads_replacing ON file_attachment.uploads (tenant_id, replaces) WHERE replaces <> '';

-- Nobody reads it: the type is the file's.
ALTER TABLE file_attachment.blobs ALTER COLUMN content_type SET DEFAULT '';

-- Claims since a hook came to its end: a file that takes down whoever looks at it is given up.
ALTER TABLE file_attachment.files ADD COLUMN claims_in_vain integer NOT NULL DEFAULT 0;
CREATE INDEX files_due_of_tenant ON file_attachment.files (tenant_id, claim_expires_at, created_at)
  WHERE NOT done;
CREATE INDEX files_due_by_id ON file_attachment.files (id) WHERE NOT done;

-- An erasure that failed waits longer each time, and does not hold up others.
ALTER TABLE file_attachment.erasures
  ADD COLUMN attempts integer NOT NULL DEFAULT 0,
  ADD COLUMN due_at timestamptz NOT NULL DEFAULT statement_timestamp();
CREATE INDEX erasures_due ON file_attachment.erasures (due_at);

-- Bytes that are kept: of a user, each counted once, and, under the empty user, of the tenant.
-- Triggers keep it, so that it is exact whichever release writes.
CREATE TABLE file_attachment.usage (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  user_id text NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (tenant_id, user_id)
) WITH (fillfactor = 50);

-- An owner that is no superuser sees the rows of all tenants only so.
LOCK TABLE file_attachment.files, file_attachment.blobs;
ALTER TABLE file_attachment.files NO FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.blobs NO FORCE ROW LEVEL SECURITY;
INSERT INTO file_attachment.usage (tenant_id, user_id, bytes)
  SELECT tenant_id, user_id, sum(size_bytes)
  FROM (SELECT DISTINCT tenant_id, user_id, sha256, size_bytes FROM file_attachment.files) AS each
  GROUP BY tenant_id, user_id;
INSERT INTO file_attachment.usage (tenant_id, user_id, bytes)
  SELECT tenant_id, '', sum(size_bytes) FROM file_attachment.blobs GROUP BY tenant_id;
ALTER TABLE file_attachment.files FORCE ROW LEVEL SECURITY;
ALTER TABLE file_attachment.blobs FORCE ROW LEVEL SECURITY;

ALTER TABLE file_attachment.usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON file_attachment.usage USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT, UPDATE ON file_attachment.usage TO kari_file_attachment;

CREATE FUNCTION file_attachment.use_bytes(tenant text, holder text, more bigint) RETURNS void
LANGUAGE sql SET search_path = file_attachment, pg_temp
AS $$
  INSERT INTO usage (tenant_id, user_id, bytes) VALUES (tenant, holder, more)
  ON CONFLICT (tenant_id, user_id) DO UPDATE SET bytes = usage.bytes + excluded.bytes;
$$;

CREATE FUNCTION file_attachment.count_blob() RETURNS trigger
LANGUAGE plpgsql SET search_path = file_attachment, pg_temp
AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM use_bytes(NEW.tenant_id, '', NEW.size_bytes);
  ELSE
    PERFORM use_bytes(OLD.tenant_id, '', -OLD.size_bytes);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION file_attachment.count_file() RETURNS trigger
LANGUAGE plpgsql SET search_path = file_attachment, pg_temp
AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.sha256 = OLD.sha256 THEN
    RETURN NULL;
  END IF;
  -- The row is locked first: whether another file has the bytes is looked at by one at a time.
  PERFORM use_bytes(coalesce(NEW.tenant_id, OLD.tenant_id), coalesce(NEW.user_id, OLD.user_id), 0);
  IF TG_OP <> 'INSERT' AND NOT EXISTS (
    SELECT FROM files AS f WHERE f.tenant_id = OLD.tenant_id AND f.sha256 = OLD.sha256
      AND f.user_id = OLD.user_id
  ) THEN
    PERFORM use_bytes(OLD.tenant_id, OLD.user_id, -OLD.size_bytes);
  END IF;
  IF TG_OP <> 'DELETE' AND NOT EXISTS (
    SELECT FROM files AS f WHERE f.tenant_id = NEW.tenant_id AND f.sha256 = NEW.sha256
      AND f.user_id = NEW.user_id AND f.id <> NEW.id
  ) THEN
    PERFORM use_bytes(NEW.tenant_id, NEW.user_id, NEW.size_bytes);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER count_blob AFTER INSERT OR DELETE ON file_attachment.blobs
  FOR EACH ROW EXECUTE FUNCTION file_attachment.count_blob();
CREATE TRIGGER count_file AFTER INSERT OR DELETE OR UPDATE OF sha256 ON file_attachment.files
  FOR EACH ROW EXECUTE FUNCTION file_attachment.count_file();

GRANT UPDATE ON file_attachment.erasures TO kari_file_attachment_sweeper;

-- Its owner replaces a function, and needs the right to create only meanwhile.
GRANT CREATE ON SCHEMA file_attachment TO kari_file_attachment_sweeper;
SET LOCAL ROLE kari_file_attachment_sweeper;

-- Files of every tenant whose hooks have not come to their end, claimed; ids are all it hands out.
-- Tenants take turns: one with few files under way comes before one with many. Few rows are looked
-- at, however many files wait.
CREATE OR REPLACE FUNCTION file_attachment.claim_files(owner text, seconds double precision,
  most integer, wanted text) RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$
  WITH RECURSIVE tenants AS (
    -- In the order of the index, so that it is used, however many files one tenant has.
    (
      SELECT f.tenant_id AS tenant FROM files AS f WHERE NOT f.done
      ORDER BY f.tenant_id, f.claim_expires_at LIMIT 1
    )
    UNION ALL
    SELECT (
      SELECT f.tenant_id FROM files AS f WHERE NOT f.done AND f.tenant_id > t.tenant
      ORDER BY f.tenant_id, f.claim_expires_at LIMIT 1
    ) FROM tenants AS t WHERE t.tenant IS NOT NULL
  ), places AS (
    SELECT d.* FROM tenants AS t, LATERAL (
      SELECT count(*) AS busy FROM files AS u
      WHERE u.tenant_id = t.tenant AND NOT u.done AND u.claim_expires_at >= statement_timestamp()
    ) AS claimed, LATERAL (
      SELECT f.tenant_id, f.id, f.claim_expires_at AS since, f.created_at,
        claimed.busy + row_number() OVER (ORDER BY f.claim_expires_at, f.created_at) AS place
      FROM (
        SELECT w.tenant_id, w.id, w.claim_expires_at, w.created_at FROM files AS w
        WHERE w.tenant_id = t.tenant AND NOT w.done AND w.claim_expires_at < statement_timestamp()
        -- The most that may be asked for, and some more: others may be claiming the first ones. A
        -- number that the planner knows.
        ORDER BY w.claim_expires_at, w.created_at LIMIT 200
      ) AS f
    ) AS d WHERE wanted = ''
    UNION ALL
    SELECT f.tenant_id, f.id, f.claim_expires_at, f.created_at, 0 FROM files AS f
    WHERE f.id = wanted AND NOT f.done
  ), first AS (
    SELECT * FROM places ORDER BY place, since, created_at LIMIT 200
  ), due AS (
    SELECT f.tenant_id, f.id FROM first AS p
    JOIN files AS f ON f.tenant_id = p.tenant_id AND f.id = p.id
    WHERE NOT f.done AND f.claim_expires_at < statement_timestamp()
    ORDER BY p.place, p.since, p.created_at LIMIT most FOR UPDATE OF f SKIP LOCKED
  )
  UPDATE files AS f SET claim = f.claim + 1, claims_in_vain = f.claims_in_vain + 1,
    claimed_by = owner, claim_seconds = seconds,
    claim_expires_at = statement_timestamp() + make_interval(secs => seconds)
  FROM due WHERE f.tenant_id = due.tenant_id AND f.id = due.id
  RETURNING f.tenant_id, f.id;
$$;

-- What is due to be erased, of every tenant; whoever gets it has a minute, later on longer, before
-- somebody else does. `settle_erasure` takes one off.
CREATE OR REPLACE FUNCTION file_attachment.waiting_erasures(most integer)
RETURNS TABLE (prefix text, tenant_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$
  UPDATE erasures AS e SET attempts = e.attempts + 1, due_at = statement_timestamp()
    + least(interval '1 hour', interval '1 minute' * power(2, least(e.attempts, 10)))
  FROM (
    SELECT w.prefix FROM erasures AS w WHERE w.due_at <= statement_timestamp()
    ORDER BY w.due_at LIMIT most FOR UPDATE SKIP LOCKED
  ) AS due
  WHERE e.prefix = due.prefix
  RETURNING e.prefix, e.tenant_id;
$$;

-- Only the owner can: for an owner of the schema that is no superuser this had no effect before.
REVOKE ALL ON FUNCTION file_attachment.claim_files(text, double precision, integer, text),
  file_attachment.waiting_erasures(integer), file_attachment.settle_erasure(text),
  file_attachment.give_up_uploads(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION file_attachment.claim_files(text, double precision, integer, text),
  file_attachment.waiting_erasures(integer), file_attachment.settle_erasure(text),
  file_attachment.give_up_uploads(interval) TO kari_file_attachment;
RESET ROLE;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;

-- migrate:down

-- Its owner replaces a function, and needs the right to create only meanwhile.
GRANT CREATE ON SCHEMA file_attachment TO kari_file_attachment_sweeper;
SET LOCAL ROLE kari_file_attachment_sweeper;

CREATE OR REPLACE FUNCTION file_attachment.waiting_erasures(most integer)
RETURNS TABLE (prefix text, tenant_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$ SELECT e.prefix, e.tenant_id FROM erasures AS e LIMIT most $$;

CREATE OR REPLACE FUNCTION file_attachment.claim_files(owner text, seconds double precision,
  most integer, wanted text) RETURNS TABLE (tenant_id text, id text)
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

RESET ROLE;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;

REVOKE UPDATE ON file_attachment.erasures FROM kari_file_attachment_sweeper;
DROP TRIGGER count_file ON file_attachment.files;
DROP TRIGGER count_blob ON file_attachment.blobs;
DROP FUNCTION file_attachment.count_file(), file_attachment.count_blob(),
  file_attachment.use_bytes(text, text, bigint);
DROP TABLE file_attachment.usage;
DROP INDEX file_attachment.erasures_due, file_attachment.files_due_by_id,
  file_attachment.files_due_of_tenant,
  file_attachment.uploads_replacing, file_attachment.uploads_of_file, file_attachment.uploads_open;
ALTER TABLE file_attachment.erasures DROP COLUMN due_at, DROP COLUMN attempts;
ALTER TABLE file_attachment.files DROP COLUMN claims_in_vain;
ALTER TABLE file_attachment.blobs ALTER COLUMN content_type DROP DEFAULT;
ALTER TABLE file_attachment.uploads
  DROP COLUMN digest, DROP COLUMN replaces, DROP COLUMN expected_bytes;
