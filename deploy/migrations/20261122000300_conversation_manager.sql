-- migrate:up

DO $$
BEGIN
  IF to_regrole('kari_conversation_manager') IS NULL THEN
    CREATE ROLE kari_conversation_manager NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_conversation_manager', 'SET') THEN
    GRANT kari_conversation_manager TO CURRENT_USER;
  END IF;
END $$;

CREATE SCHEMA conversation_manager;
GRANT USAGE ON SCHEMA conversation_manager TO kari_conversation_manager;

-- Columns of type bytea hold messages of the contract, serialized.
CREATE TABLE conversation_manager.conversations (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  created_by text NOT NULL,
  request_id text NOT NULL,
  request_digest bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  version bigint NOT NULL DEFAULT 1,
  title text NOT NULL DEFAULT '',
  mode text NOT NULL DEFAULT 'chat' CHECK (mode IN ('chat', 'analysis', 'creative', 'technical',
    'code', 'summarization')),
  model text NOT NULL DEFAULT '',
  system_instructions text NOT NULL DEFAULT '',
  persona bytea,
  pinned_message_ids text[] NOT NULL DEFAULT '{}',
  context_cleared_through bigint NOT NULL DEFAULT 0,
  metadata bytea,
  snapshot bytea,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, created_by, request_id)
) WITH (fillfactor = 70);

-- `updated_at` is the conversation's, here again so that a user's list is one index scan.
CREATE TABLE conversation_manager.participants (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  conversation_id text NOT NULL,
  user_id text NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant_id, conversation_id, user_id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation_manager.conversations
);

CREATE INDEX participants_latest ON conversation_manager.participants
  (tenant_id, user_id, updated_at DESC, conversation_id DESC);

-- The log: one row a change, never changed.
CREATE TABLE conversation_manager.updates (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  conversation_id text NOT NULL,
  version bigint NOT NULL,
  user_id text NOT NULL,
  request_id text NOT NULL,
  request_digest bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  field text NOT NULL,
  change bytea NOT NULL,
  correlation_id text NOT NULL,
  PRIMARY KEY (tenant_id, conversation_id, version),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation_manager.conversations
);

CREATE INDEX updates_by_request ON conversation_manager.updates
  (tenant_id, conversation_id, request_id);

CREATE TABLE conversation_manager.proposals (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  conversation_id text NOT NULL,
  user_id text NOT NULL,
  request_id text NOT NULL,
  request_digest bytea NOT NULL,
  changes bytea[] NOT NULL,
  expires_at timestamptz NOT NULL,
  accepted boolean,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, conversation_id, request_id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversation_manager.conversations
);

CREATE INDEX proposals_by_age ON conversation_manager.proposals
  (tenant_id, conversation_id, expires_at);

ALTER TABLE conversation_manager.conversations
  ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE conversation_manager.participants
  ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE conversation_manager.updates ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE conversation_manager.proposals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON conversation_manager.conversations
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON conversation_manager.participants
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON conversation_manager.updates
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON conversation_manager.proposals
  USING (tenant_id = current_setting('kari.tenant', true));

GRANT SELECT, INSERT, UPDATE ON conversation_manager.conversations TO kari_conversation_manager;
GRANT SELECT, INSERT, UPDATE, DELETE ON conversation_manager.participants
  TO kari_conversation_manager;
GRANT SELECT, INSERT ON conversation_manager.updates TO kari_conversation_manager;
GRANT SELECT, INSERT, UPDATE, DELETE ON conversation_manager.proposals
  TO kari_conversation_manager;

-- migrate:down

DROP SCHEMA conversation_manager CASCADE;
DO $$
BEGIN
  DROP ROLE kari_conversation_manager;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
