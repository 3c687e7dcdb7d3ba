-- migrate:up

-- What is remembered of a user, or of the domain: then `user_id` is empty. Ids come before the tenant
-- in every key, as everywhere. `meaning` is the normalized text, by which the same statement is found
-- again; `slot`, `value` and `negated` are what it says where only one value can hold at a time.
-- `due_at` is when it may be consolidated or archived next: null is never.
CREATE TABLE production_memory.memories (
  id text NOT NULL,
  user_id text NOT NULL DEFAULT '',
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  kind text NOT NULL CHECK (kind IN ('episodic', 'semantic', 'procedural')),
  content text NOT NULL,
  meaning text NOT NULL,
  importance smallint NOT NULL CHECK (importance BETWEEN 1 AND 10),
  origin text NOT NULL CHECK (origin IN ('rules', 'model', 'asked', 'consolidated')),
  slot text NOT NULL DEFAULT '',
  value text NOT NULL DEFAULT '',
  negated boolean NOT NULL DEFAULT false,
  evidence_message_ids text[] NOT NULL DEFAULT '{}',
  conversation_id text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  valid_from timestamptz NOT NULL,
  valid_to timestamptz,
  replaced_by text NOT NULL DEFAULT '',
  confirmed_at timestamptz NOT NULL,
  reads integer NOT NULL DEFAULT 0,
  last_read_at timestamptz,
  archived boolean NOT NULL DEFAULT false,
  due_at timestamptz,
  PRIMARY KEY (id, tenant_id),
  CHECK (replaced_by = '' OR valid_to IS NOT NULL)
) WITH (fillfactor = 80);

CREATE INDEX memories_holding ON production_memory.memories (user_id, id DESC, tenant_id)
  WHERE valid_to IS NULL;
CREATE INDEX memories_of_user ON production_memory.memories (user_id, id DESC, tenant_id);
CREATE INDEX memories_replaced ON production_memory.memories (replaced_by, tenant_id)
  WHERE replaced_by <> '';
CREATE INDEX memories_due ON production_memory.memories (due_at)
  WHERE due_at IS NOT NULL AND valid_to IS NULL;

-- Requests that wrote, each once. What a forgotten memory leaves here says nothing of it: its digest
-- is emptied with it.
CREATE TABLE production_memory.memory_requests (
  user_id text NOT NULL,
  action text NOT NULL CHECK (action IN ('remember', 'correct', 'learn')),
  request_id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  digest bytea NOT NULL,
  outcome text NOT NULL,
  memory_id text NOT NULL,
  replaced_id text NOT NULL DEFAULT '',
  PRIMARY KEY (user_id, action, request_id, tenant_id)
);

CREATE INDEX memory_requests_of_memory
  ON production_memory.memory_requests (memory_id, tenant_id);

-- Ids and counts, no content.
CREATE TABLE production_memory.forget_receipts (
  id text NOT NULL,
  user_id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  request_id text NOT NULL,
  asked_ids text[] NOT NULL,
  memory_ids text[] NOT NULL,
  forgotten_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  vectors_erased_at timestamptz,
  PRIMARY KEY (id, tenant_id),
  CONSTRAINT forget_receipts_request_key UNIQUE (user_id, request_id, tenant_id)
);

-- Whether the message of a turn may say something to learn, which is known when it is taken in.
ALTER TABLE production_memory.turns ADD COLUMN teaches boolean NOT NULL DEFAULT false;

ALTER TABLE production_memory.memories ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.memory_requests ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.forget_receipts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON production_memory.memories
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.memory_requests
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.forget_receipts
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON production_memory.memories TO kari_production_memory;
GRANT SELECT, INSERT, UPDATE ON production_memory.memory_requests,
  production_memory.forget_receipts TO kari_production_memory;

-- Memories of every tenant that are due at a moment, locked until the transaction ends, so that no
-- two workers look at the same one. Ids are all it hands out.
CREATE FUNCTION production_memory.memories_due(moment timestamptz, most integer)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT m.tenant_id, m.id FROM memories AS m
  WHERE m.due_at <= moment AND m.valid_to IS NULL
  ORDER BY m.due_at LIMIT most
  FOR NO KEY UPDATE SKIP LOCKED
$$;

-- Memories of every tenant that hold, from a place on: ids are all it hands out.
CREATE FUNCTION production_memory.memories_to_index(after_tenant text, after_id text, most integer)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT m.tenant_id, m.id FROM memories AS m
  WHERE (m.tenant_id, m.id) > (after_tenant, after_id) AND m.valid_to IS NULL
  ORDER BY m.tenant_id, m.id LIMIT most
$$;

-- How many memories of all tenants hold.
CREATE FUNCTION production_memory.memories_of_all() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$ SELECT count(*) FROM memories WHERE valid_to IS NULL $$;

CREATE POLICY sweeping ON production_memory.memories TO kari_production_memory_sweeper USING (true);
-- Locking a row asks for the right to change it.
GRANT SELECT (tenant_id, id, due_at, valid_to), UPDATE (due_at)
  ON production_memory.memories TO kari_production_memory_sweeper;

REVOKE ALL ON FUNCTION production_memory.memories_due, production_memory.memories_to_index,
  production_memory.memories_of_all FROM PUBLIC;
GRANT EXECUTE ON FUNCTION production_memory.memories_due, production_memory.memories_to_index,
  production_memory.memories_of_all TO kari_production_memory;
-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.memories_due OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.memories_to_index OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.memories_of_all OWNER TO kari_production_memory_sweeper;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- migrate:down

DROP FUNCTION production_memory.memories_due;
DROP FUNCTION production_memory.memories_to_index;
DROP FUNCTION production_memory.memories_of_all;
ALTER TABLE production_memory.turns DROP COLUMN teaches;
DROP TABLE production_memory.forget_receipts, production_memory.memory_requests,
  production_memory.memories;
