-- migrate:up

-- The server connects with this role and is bound by row-level security: it owns nothing.
-- Roles belong to the whole cluster: another database may have made it already.
DO $$
BEGIN
  IF to_regrole('kari_production_memory') IS NULL THEN
    CREATE ROLE kari_production_memory NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Owns the one function that looks at every tenant. Nobody connects with it, nobody inherits from
-- it: its policies are for that function alone.
DO $$
BEGIN
  IF to_regrole('kari_production_memory_sweeper') IS NULL THEN
    CREATE ROLE kari_production_memory_sweeper NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_production_memory', 'SET') THEN
    GRANT kari_production_memory TO CURRENT_USER;
  END IF;
  IF NOT pg_has_role(current_user, 'kari_production_memory_sweeper', 'SET') THEN
    GRANT kari_production_memory_sweeper TO CURRENT_USER WITH INHERIT FALSE;
  END IF;
END $$;

CREATE SCHEMA production_memory;
GRANT USAGE ON SCHEMA production_memory TO kari_production_memory, kari_production_memory_sweeper;

-- A conversation as this server sees it. Whoever changes a conversation locks its row first.
CREATE TABLE production_memory.threads (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  conversation_id text NOT NULL,
  last_sequence bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, conversation_id)
) WITH (fillfactor = 80);

CREATE TABLE production_memory.messages (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  conversation_id text NOT NULL,
  sequence bigint NOT NULL,
  role text NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
  content text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  user_id text NOT NULL DEFAULT '',
  turn_id text NOT NULL,
  model_used text NOT NULL DEFAULT '',
  tokens_used integer NOT NULL DEFAULT 0,
  reply_to_message_id text NOT NULL DEFAULT '',
  mentioned_user_ids text[] NOT NULL DEFAULT '{}',
  partial boolean NOT NULL DEFAULT false,
  -- Written by the runtime, not by a model.
  apology boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, conversation_id, sequence),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES production_memory.threads
);

-- Columns of type bytea hold messages of the contract, serialized.
CREATE TABLE production_memory.turns (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  conversation_id text NOT NULL,
  request_id text NOT NULL,
  request_digest bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('accepted', 'assembling', 'generating', 'running_tool',
    'committing', 'completed', 'failed', 'cancelled')),
  user_message_id text NOT NULL,
  user_sequence bigint NOT NULL,
  assistant_message_id text NOT NULL DEFAULT '',
  user_id text NOT NULL,
  roles text[] NOT NULL,
  correlation_id text NOT NULL,
  model text NOT NULL DEFAULT '',
  instructions bytea[] NOT NULL DEFAULT '{}',
  goes_first boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  ended_at timestamptz,
  lease_owner text NOT NULL DEFAULT '',
  lease_number bigint NOT NULL DEFAULT 0,
  lease_expires_at timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  selection bytea,
  manifest bytea,
  usage bytea,
  degradations bytea[] NOT NULL DEFAULT '{}',
  error bytea,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, conversation_id, request_id),
  FOREIGN KEY (tenant_id, user_message_id) REFERENCES production_memory.messages,
  CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'failed', 'cancelled')))
) WITH (fillfactor = 70);

-- One turn at most is led in a conversation. Also finds the leaders that went silent.
CREATE UNIQUE INDEX turns_led ON production_memory.turns (tenant_id, conversation_id)
  WHERE state IN ('assembling', 'generating', 'running_tool', 'committing');

CREATE INDEX turns_waiting
  ON production_memory.turns (tenant_id, conversation_id, goes_first DESC, user_sequence)
  WHERE state = 'accepted';

-- How many turns of a user are under way or wait.
CREATE INDEX turns_open ON production_memory.turns (tenant_id, user_id)
  WHERE state IN ('accepted', 'assembling', 'generating', 'running_tool', 'committing');

ALTER TABLE production_memory.threads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.turns ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON production_memory.threads
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.messages
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.turns
  USING (tenant_id = current_setting('kari.tenant', true));

-- Messages are never changed once committed, so no right to do so exists.
GRANT SELECT, INSERT, UPDATE ON production_memory.threads TO kari_production_memory;
GRANT SELECT, INSERT ON production_memory.messages TO kari_production_memory;
GRANT SELECT, INSERT, UPDATE ON production_memory.turns TO kari_production_memory;

-- Conversations, of every tenant, whose turn nobody leads: its leader's lease ran out, or it waits
-- for longer than `patience` although the conversation is free. Their threads stay locked until
-- the transaction ends, so that two sweepers never get the same one. Ids are all it hands out.
CREATE FUNCTION production_memory.abandoned_conversations(patience interval, most integer)
RETURNS TABLE (tenant_id text, conversation_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT t.tenant_id, t.conversation_id
  FROM threads AS t
  JOIN (
    SELECT u.tenant_id, u.conversation_id
    FROM turns AS u
    WHERE u.state IN ('assembling', 'generating', 'running_tool', 'committing')
      AND u.lease_expires_at < statement_timestamp()
    UNION
    SELECT w.tenant_id, w.conversation_id
    FROM turns AS w
    WHERE w.state = 'accepted'
      AND w.created_at < statement_timestamp() - patience
      AND NOT EXISTS (
        SELECT FROM turns AS l
        WHERE l.tenant_id = w.tenant_id AND l.conversation_id = w.conversation_id
          AND l.state IN ('assembling', 'generating', 'running_tool', 'committing')
      )
  ) AS abandoned USING (tenant_id, conversation_id)
  LIMIT most
  FOR UPDATE OF t SKIP LOCKED
$$;

CREATE POLICY sweeping ON production_memory.threads TO kari_production_memory_sweeper USING (true);
CREATE POLICY sweeping ON production_memory.turns FOR SELECT TO kari_production_memory_sweeper
  USING (true);
-- Locking a row asks for the right to change it.
GRANT SELECT (tenant_id, conversation_id), UPDATE (last_sequence)
  ON production_memory.threads TO kari_production_memory_sweeper;
GRANT SELECT (tenant_id, conversation_id, state, created_at, lease_expires_at)
  ON production_memory.turns TO kari_production_memory_sweeper;

REVOKE ALL ON FUNCTION production_memory.abandoned_conversations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION production_memory.abandoned_conversations TO kari_production_memory;
-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.abandoned_conversations OWNER TO kari_production_memory_sweeper;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- migrate:down

DROP SCHEMA production_memory CASCADE;
-- Another database of the cluster may still use the roles.
DO $$
BEGIN
  DROP ROLE kari_production_memory;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
DO $$
BEGIN
  DROP ROLE kari_production_memory_sweeper;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
