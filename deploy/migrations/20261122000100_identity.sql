-- migrate:up

-- The server connects with this role and is bound by row-level security: it owns nothing.
-- Roles belong to the whole cluster: another database may have made it already.
DO $$
BEGIN
  IF to_regrole('kari_identity') IS NULL THEN
    CREATE ROLE kari_identity NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_identity', 'SET') THEN
    GRANT kari_identity TO CURRENT_USER;
  END IF;
END $$;

CREATE SCHEMA identity;
GRANT USAGE ON SCHEMA identity TO kari_identity;

-- No row-level security: sign-in looks the tenant up by its name before any tenant is known.
CREATE TABLE identity.tenants (
  id text PRIMARY KEY CHECK (id <> ''),
  name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL
);

-- `password_hash` is argon2id in the PHC string format, with its parameters and salt.
CREATE TABLE identity.users (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') REFERENCES identity.tenants,
  id text NOT NULL,
  name text NOT NULL,
  password_hash text NOT NULL,
  roles text[] NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name)
);

-- `generation` counts refreshes: only a token of the latest one refreshes the session again.
-- An ended session is kept until `expires_at`, so that its tokens are known for what they are.
CREATE TABLE identity.sessions (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant'),
  id text NOT NULL,
  user_id text NOT NULL,
  generation integer NOT NULL DEFAULT 0,
  rotated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, user_id) REFERENCES identity.users
) WITH (fillfactor = 80);

CREATE INDEX sessions_by_user ON identity.sessions (tenant_id, user_id, expires_at);

-- `hash` is SHA-256 of the token, which itself is stored nowhere.
CREATE TABLE identity.refresh_tokens (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant'),
  hash bytea NOT NULL,
  session_id text NOT NULL,
  generation integer NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, hash),
  FOREIGN KEY (tenant_id, session_id) REFERENCES identity.sessions ON DELETE CASCADE
);

CREATE INDEX refresh_tokens_by_session ON identity.refresh_tokens
  (tenant_id, session_id, expires_at);

ALTER TABLE identity.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE identity.sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE identity.refresh_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON identity.users
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON identity.sessions
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON identity.refresh_tokens
  USING (tenant_id = current_setting('kari.tenant', true));

GRANT SELECT, INSERT ON identity.tenants TO kari_identity;
GRANT SELECT, INSERT, UPDATE ON identity.users TO kari_identity;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity.sessions TO kari_identity;
GRANT SELECT, INSERT, DELETE ON identity.refresh_tokens TO kari_identity;

-- migrate:down

DROP SCHEMA identity CASCADE;
DO $$
BEGIN
  DROP ROLE kari_identity;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
