-- migrate:up

-- Who spoke, by the name they had then: the assistant's is empty.
-- The words of a text, as Postgres' English configuration has them. What is beyond 100,000 characters
-- is not looked at: a tsvector has its limits, and a message is not refused because of them.
ALTER TABLE production_memory.messages
  ADD COLUMN author text NOT NULL DEFAULT '',
  ADD COLUMN words tsvector NOT NULL
    GENERATED ALWAYS AS (to_tsvector('english'::regconfig, left(content, 100000))) STORED;

CREATE INDEX messages_words ON production_memory.messages USING gin (words);

-- The names of who spoke in a conversation.
CREATE TABLE production_memory.authors (
  conversation_id text NOT NULL,
  author text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  PRIMARY KEY (conversation_id, author, tenant_id)
);

-- Imports of messages, each once.
CREATE TABLE production_memory.imports (
  conversation_id text NOT NULL,
  request_id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  message_ids text[] NOT NULL,
  PRIMARY KEY (conversation_id, request_id, tenant_id)
);

ALTER TABLE production_memory.authors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.imports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON production_memory.authors
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.imports
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT ON production_memory.authors, production_memory.imports
  TO kari_production_memory;

DO $$
BEGIN
  IF to_regrole('kari_conversation_search') IS NULL THEN
    CREATE ROLE kari_conversation_search NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Owns the views. Nobody connects with it, nobody inherits from it.
DO $$
BEGIN
  IF to_regrole('kari_conversation_search_views') IS NULL THEN
    CREATE ROLE kari_conversation_search_views NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'kari_conversation_search', 'SET') THEN
    GRANT kari_conversation_search TO CURRENT_USER;
  END IF;
  IF NOT pg_has_role(current_user, 'kari_conversation_search_views', 'SET') THEN
    GRANT kari_conversation_search_views TO CURRENT_USER WITH INHERIT FALSE;
  END IF;
END $$;

CREATE SCHEMA conversation_search;
GRANT USAGE ON SCHEMA conversation_search TO kari_conversation_search, kari_conversation_search_views;
GRANT USAGE ON SCHEMA production_memory, conversation_manager TO kari_conversation_search_views;

-- The tenant's condition is the views' here and not a policy's: Postgres uses no GIN index for a
-- condition that comes after a policy, for fear that its operator tells of rows. The server has no
-- right but to read the views, and runs no statement but its own.
GRANT SELECT (tenant_id, id, conversation_id, sequence, role, content, created_at, user_id, author,
  words) ON production_memory.messages TO kari_conversation_search_views;
GRANT SELECT ON production_memory.threads, production_memory.authors
  TO kari_conversation_search_views;
GRANT SELECT (tenant_id, conversation_id, user_id)
  ON conversation_manager.participants TO kari_conversation_search_views;
CREATE POLICY searching ON production_memory.messages FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE POLICY searching ON production_memory.threads FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE POLICY searching ON production_memory.authors FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE POLICY searching ON conversation_manager.participants FOR SELECT
  TO kari_conversation_search_views USING (true);

CREATE VIEW conversation_search.messages AS
  SELECT id, conversation_id, sequence, role, content, created_at, user_id, author, words
  FROM production_memory.messages WHERE tenant_id = current_setting('kari.tenant', true);
CREATE VIEW conversation_search.threads AS
  SELECT conversation_id, last_sequence
  FROM production_memory.threads WHERE tenant_id = current_setting('kari.tenant', true);
CREATE VIEW conversation_search.authors AS
  SELECT conversation_id, author
  FROM production_memory.authors WHERE tenant_id = current_setting('kari.tenant', true);
CREATE VIEW conversation_search.participants AS
  SELECT conversation_id, user_id
  FROM conversation_manager.participants WHERE tenant_id = current_setting('kari.tenant', true);

-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA conversation_search TO kari_conversation_search_views;
ALTER VIEW conversation_search.messages OWNER TO kari_conversation_search_views;
ALTER VIEW conversation_search.threads OWNER TO kari_conversation_search_views;
ALTER VIEW conversation_search.authors OWNER TO kari_conversation_search_views;
ALTER VIEW conversation_search.participants OWNER TO kari_conversation_search_views;
REVOKE CREATE ON SCHEMA conversation_search FROM kari_conversation_search_views;
SET ROLE kari_conversation_search_views;
GRANT SELECT ON conversation_search.messages, conversation_search.threads,
  conversation_search.authors, conversation_search.participants TO kari_conversation_search;
RESET ROLE;

-- migrate:down

DROP SCHEMA conversation_search CASCADE;
DROP POLICY searching ON conversation_manager.participants;
DROP POLICY searching ON production_memory.authors;
DROP POLICY searching ON production_memory.threads;
DROP POLICY searching ON production_memory.messages;
REVOKE ALL ON conversation_manager.participants, production_memory.messages,
  production_memory.threads, production_memory.authors FROM kari_conversation_search_views;
REVOKE USAGE ON SCHEMA production_memory, conversation_manager FROM kari_conversation_search_views;
DROP TABLE production_memory.imports, production_memory.authors;
ALTER TABLE production_memory.messages DROP COLUMN words, DROP COLUMN author;
DO $$
BEGIN
  DROP ROLE kari_conversation_search;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
DO $$
BEGIN
  DROP ROLE kari_conversation_search_views;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
END $$;
