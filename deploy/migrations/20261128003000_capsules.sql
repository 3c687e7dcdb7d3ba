-- migrate:up

DO $$
BEGIN
  IF to_regrole('kari_capsules') IS NULL THEN
    CREATE ROLE kari_capsules NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_capsules', 'SET') THEN
    GRANT kari_capsules TO CURRENT_USER;
  END IF;
END $$;

CREATE SCHEMA capsules;
GRANT USAGE ON SCHEMA capsules TO kari_capsules;

-- Runs that wrote a checkpoint. `holder` is new with each attempt: who has another one may not write
-- any more. What has ended keeps neither its input nor its state.
CREATE TABLE capsules.runs (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  user_id text NOT NULL,
  capsule_id text NOT NULL,
  conversation_id text NOT NULL,
  holder text NOT NULL,
  input text,
  state text,
  checkpoints integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  ended boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 70);

CREATE INDEX runs_latest ON capsules.runs (tenant_id, user_id, created_at DESC, id DESC);
CREATE INDEX runs_by_age ON capsules.runs (updated_at);

ALTER TABLE capsules.runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON capsules.runs USING (tenant_id = current_setting('kari.tenant', true));
-- Without a tenant only what is too old is seen, to be removed.
CREATE POLICY old_seen ON capsules.runs FOR SELECT
  USING (current_setting('kari.tenant', true) = ''
    AND updated_at < statement_timestamp() - interval '30 days');
CREATE POLICY old_removed ON capsules.runs FOR DELETE
  USING (current_setting('kari.tenant', true) = ''
    AND updated_at < statement_timestamp() - interval '30 days');
GRANT SELECT, INSERT, UPDATE, DELETE ON capsules.runs TO kari_capsules;

-- migrate:down

DROP SCHEMA capsules CASCADE;
DO $$
BEGIN
  DROP ROLE kari_capsules;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
