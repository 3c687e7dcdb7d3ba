-- migrate:up

-- Whether a hook is looking at the bytes, as far as whoever has the claim has said. Only a claim that
-- ran out under one, in a process that is gone, was in vain.
ALTER TABLE file_attachment.files ADD COLUMN under_way boolean NOT NULL DEFAULT false;
-- Of every tenant: for an owner of the schema that is no superuser there are none else.
ALTER TABLE file_attachment.files NO FORCE ROW LEVEL SECURITY;
UPDATE file_attachment.files SET claims_in_vain = 0 WHERE claims_in_vain > 0;
ALTER TABLE file_attachment.files FORCE ROW LEVEL SECURITY;

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
  UPDATE files AS f SET claim = f.claim + 1, claimed_by = owner, claim_seconds = seconds,
    claims_in_vain = f.claims_in_vain + (f.under_way AND f.claimed_by <> owner)::integer,
    under_way = false,
    claim_expires_at = statement_timestamp() + make_interval(secs => seconds)
  FROM due WHERE f.tenant_id = due.tenant_id AND f.id = due.id
  RETURNING f.tenant_id, f.id;
$$;

RESET ROLE;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;

-- Before each row, so that of several in one statement each one finds those before it done: what
-- counts is whether the user has another file of the same bytes.
CREATE OR REPLACE FUNCTION file_attachment.count_file() RETURNS trigger
LANGUAGE plpgsql SET search_path = file_attachment, pg_temp
AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.sha256 = OLD.sha256 THEN
    RETURN NEW;
  END IF;
  -- The row is locked first: whether another file has the bytes is looked at by one at a time.
  PERFORM use_bytes(coalesce(NEW.tenant_id, OLD.tenant_id), coalesce(NEW.user_id, OLD.user_id), 0);
  IF TG_OP <> 'INSERT' AND NOT EXISTS (
    SELECT FROM files AS f WHERE f.tenant_id = OLD.tenant_id AND f.sha256 = OLD.sha256
      AND f.user_id = OLD.user_id AND f.id <> OLD.id
  ) THEN
    PERFORM use_bytes(OLD.tenant_id, OLD.user_id, -OLD.size_bytes);
  END IF;
  IF TG_OP <> 'DELETE' AND NOT EXISTS (
    SELECT FROM files AS f WHERE f.tenant_id = NEW.tenant_id AND f.sha256 = NEW.sha256
      AND f.user_id = NEW.user_id AND f.id <> NEW.id
  ) THEN
    PERFORM use_bytes(NEW.tenant_id, NEW.user_id, NEW.size_bytes);
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
DROP TRIGGER count_file ON file_attachment.files;
CREATE TRIGGER count_file BEFORE INSERT OR DELETE OR UPDATE OF sha256 ON file_attachment.files
  FOR EACH ROW EXECUTE FUNCTION file_attachment.count_file();

-- migrate:down

DROP TRIGGER count_file ON file_attachment.files;
CREATE OR REPLACE FUNCTION file_attachment.count_file() RETURNS trigger
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
CREATE TRIGGER count_file AFTER INSERT OR DELETE OR UPDATE OF sha256 ON file_attachment.files
  FOR EACH ROW EXECUTE FUNCTION file_attachment.count_file();

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

RESET ROLE;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;

ALTER TABLE file_attachment.files DROP COLUMN under_way;
