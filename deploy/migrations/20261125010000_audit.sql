-- migrate:up

DO $$
BEGIN
  IF to_regrole('kari_audit') IS NULL THEN
    CREATE ROLE kari_audit NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_audit', 'SET') THEN
    GRANT kari_audit TO CURRENT_USER;
  END IF;
END $$;

CREATE SCHEMA audit;
GRANT USAGE ON SCHEMA audit TO kari_audit;

-- One trail for all tenants: its server reads all of it to verify it, and nobody else calls that.
-- `mac` is HMAC-SHA512 over the record and the mac before it.
CREATE TABLE audit.records (
  sequence bigint PRIMARY KEY CHECK (sequence > 0),
  id text NOT NULL UNIQUE,
  happened_at timestamptz NOT NULL,
  server text NOT NULL,
  tenant_id text NOT NULL,
  user_id text NOT NULL,
  action text NOT NULL,
  resource text NOT NULL,
  outcome integer NOT NULL,
  reason text NOT NULL,
  correlation_id text NOT NULL,
  details jsonb NOT NULL,
  mac bytea NOT NULL
);

-- The end of the trail: one row, whose own code tells that nothing was cut off.
CREATE TABLE audit.head (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  sequence bigint NOT NULL,
  code bytea NOT NULL,
  mac bytea NOT NULL
);

ALTER TABLE audit.records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY whole ON audit.records TO kari_audit USING (true);
GRANT SELECT, INSERT ON audit.records TO kari_audit;
GRANT SELECT, INSERT, UPDATE ON audit.head TO kari_audit;

-- Not even the owner changes a record without taking this away first.
CREATE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is only appended to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.records
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON audit.head
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();

-- migrate:down

DROP SCHEMA audit CASCADE;
DO $$
BEGIN
  DROP ROLE kari_audit;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
