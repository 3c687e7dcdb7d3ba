-- migrate:up

-- Ids of the files that came with a message.
ALTER TABLE production_memory.messages ADD COLUMN file_ids text[] NOT NULL DEFAULT '{}';

-- The files of whose text there are pieces. One that was dropped keeps a row without anything of it, so
-- that pieces which arrive late are refused.
CREATE TABLE production_memory.file_texts (
  id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  user_id text NOT NULL,
  name text NOT NULL,
  pieces integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  dropped boolean NOT NULL DEFAULT false,
  PRIMARY KEY (id, tenant_id),
  CHECK (NOT dropped OR (name = '' AND pieces = 0))
) WITH (fillfactor = 70);
CREATE INDEX file_texts_of_user ON production_memory.file_texts (user_id, tenant_id);

-- `id` is the file's with the place; `anchor` is a message of the contract, serialized.
CREATE TABLE production_memory.file_chunks (
  id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  file_id text NOT NULL,
  place integer NOT NULL CHECK (place >= 0),
  content text NOT NULL,
  anchor bytea NOT NULL,
  words tsvector NOT NULL
    GENERATED ALWAYS AS (to_tsvector('english'::regconfig, content)) STORED,
  PRIMARY KEY (id, tenant_id),
  UNIQUE (file_id, place, tenant_id),
  FOREIGN KEY (file_id, tenant_id) REFERENCES production_memory.file_texts
);
CREATE INDEX file_chunks_words ON production_memory.file_chunks USING gin (words);

-- Conversations whose participants find a file, by whom they were let: it counts if that is its owner, who
-- may be known only later.
CREATE TABLE production_memory.file_uses (
  file_id text NOT NULL,
  conversation_id text NOT NULL,
  user_id text NOT NULL,
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  PRIMARY KEY (file_id, conversation_id, user_id, tenant_id)
);
CREATE INDEX file_uses_of_conversation ON production_memory.file_uses (conversation_id, tenant_id);

ALTER TABLE production_memory.file_texts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.file_chunks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE production_memory.file_uses ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON production_memory.file_texts
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.file_chunks
  USING (tenant_id = current_setting('kari.tenant', true));
CREATE POLICY tenant ON production_memory.file_uses
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT, UPDATE ON production_memory.file_texts TO kari_production_memory;
GRANT SELECT, INSERT, UPDATE, DELETE ON production_memory.file_chunks TO kari_production_memory;
GRANT SELECT, INSERT, DELETE ON production_memory.file_uses TO kari_production_memory;

-- Pieces of every tenant from a place on, and how many there are: ids are all it hands out.
CREATE FUNCTION production_memory.file_chunks_to_index(after_tenant text, after_id text, most integer)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT c.tenant_id, c.id FROM file_chunks AS c
  WHERE (c.tenant_id, c.id) > (after_tenant, after_id)
  ORDER BY c.tenant_id, c.id LIMIT most
$$;
CREATE FUNCTION production_memory.file_chunks_of_all() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$ SELECT count(*) FROM file_chunks $$;

CREATE POLICY sweeping ON production_memory.file_chunks FOR SELECT
  TO kari_production_memory_sweeper USING (true);
GRANT SELECT (tenant_id, id) ON production_memory.file_chunks TO kari_production_memory_sweeper;

REVOKE ALL ON FUNCTION production_memory.file_chunks_to_index, production_memory.file_chunks_of_all
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION production_memory.file_chunks_to_index,
  production_memory.file_chunks_of_all TO kari_production_memory;
-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.file_chunks_to_index OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.file_chunks_of_all OWNER TO kari_production_memory_sweeper;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- What is searched; the tenant's condition is the views', as with the others.
GRANT SELECT ON production_memory.file_texts, production_memory.file_chunks,
  production_memory.file_uses TO kari_conversation_search_views;
CREATE POLICY searching ON production_memory.file_texts FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE POLICY searching ON production_memory.file_chunks FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE POLICY searching ON production_memory.file_uses FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE VIEW conversation_search.file_texts AS
  SELECT id, user_id, name, pieces, created_at FROM production_memory.file_texts
  WHERE tenant_id = current_setting('kari.tenant', true) AND NOT dropped;
CREATE VIEW conversation_search.file_chunks AS
  SELECT id, file_id, place, content, anchor, words FROM production_memory.file_chunks
  WHERE tenant_id = current_setting('kari.tenant', true);
CREATE VIEW conversation_search.file_uses AS
  SELECT file_id, conversation_id, user_id FROM production_memory.file_uses
  WHERE tenant_id = current_setting('kari.tenant', true);
GRANT CREATE ON SCHEMA conversation_search TO kari_conversation_search_views;
ALTER VIEW conversation_search.file_texts OWNER TO kari_conversation_search_views;
ALTER VIEW conversation_search.file_chunks OWNER TO kari_conversation_search_views;
ALTER VIEW conversation_search.file_uses OWNER TO kari_conversation_search_views;
REVOKE CREATE ON SCHEMA conversation_search FROM kari_conversation_search_views;
SET ROLE kari_conversation_search_views;
GRANT SELECT ON conversation_search.file_texts, conversation_search.file_chunks,
  conversation_search.file_uses TO kari_conversation_search;
RESET ROLE;

-- migrate:down

DROP VIEW conversation_search.file_uses, conversation_search.file_chunks,
  conversation_search.file_texts;
DROP FUNCTION production_memory.file_chunks_to_index, production_memory.file_chunks_of_all;
DROP TABLE production_memory.file_uses, production_memory.file_chunks, production_memory.file_texts;
ALTER TABLE production_memory.messages DROP COLUMN file_ids;
