-- migrate:up

-- Few rows are looked at, however many files wait.
GRANT CREATE ON SCHEMA file_attachment TO kari_file_attachment_sweeper;
SET LOCAL ROLE kari_file_attachment_sweeper;

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

-- migrate:down

GRANT CREATE ON SCHEMA file_attachment TO kari_file_attachment_sweeper;
SET LOCAL ROLE kari_file_attachment_sweeper;

CREATE OR REPLACE FUNCTION file_attachment.claim_files(owner text, seconds double precision,
  most integer, wanted text) RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql SECURITY DEFINER SET search_path = file_attachment, pg_temp
AS $$
  WITH RECURSIVE tenants AS (
    (SELECT f.tenant_id AS tenant FROM files AS f WHERE NOT f.done ORDER BY f.tenant_id LIMIT 1)
    UNION ALL
    SELECT (
      SELECT f.tenant_id FROM files AS f WHERE NOT f.done AND f.tenant_id > t.tenant
      ORDER BY f.tenant_id LIMIT 1
    ) FROM tenants AS t WHERE t.tenant IS NOT NULL
  ), places AS (
    SELECT d.tenant_id, d.id, d.place FROM tenants AS t, LATERAL (
      SELECT count(*) AS busy FROM files AS u
      WHERE u.tenant_id = t.tenant AND NOT u.done AND u.claim_expires_at >= statement_timestamp()
    ) AS claimed, LATERAL (
      SELECT f.tenant_id, f.id,
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
    SELECT f.tenant_id, f.id, 0 FROM files AS f WHERE f.id = wanted AND NOT f.done
  ), due AS (
    SELECT f.tenant_id, f.id FROM places AS p
    JOIN files AS f ON f.tenant_id = p.tenant_id AND f.id = p.id
    WHERE NOT f.done AND f.claim_expires_at < statement_timestamp()
    ORDER BY p.place, f.claim_expires_at, f.created_at LIMIT most FOR UPDATE OF f SKIP LOCKED
  )
  UPDATE files AS f SET claim = f.claim + 1, claims_in_vain = f.claims_in_vain + 1,
    claimed_by = owner, claim_seconds = seconds,
    claim_expires_at = statement_timestamp() + make_interval(secs => seconds)
  FROM due WHERE f.tenant_id = due.tenant_id AND f.id = due.id
  RETURNING f.tenant_id, f.id;
$$;

RESET ROLE;
REVOKE CREATE ON SCHEMA file_attachment FROM kari_file_attachment_sweeper;
