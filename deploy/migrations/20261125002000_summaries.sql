-- migrate:up

-- How far a conversation is summarized, in sequences, and when to look at it next; not set while there
-- is nothing to look for. None of what changes with every message is in an index, so those updates
-- stay within their page (HOT): `summary_look_at` changes when a conversation wakes up, when a rolling
-- summary falls due, and when somebody has looked.
ALTER TABLE production_memory.threads
  ADD COLUMN touched_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  ADD COLUMN last_user_id text NOT NULL DEFAULT '',
  ADD COLUMN rolling_through bigint NOT NULL DEFAULT 0,
  ADD COLUMN episodic_through bigint NOT NULL DEFAULT 0,
  -- The sequence with which the next rolling summary is due, as far as whoever looked last knew.
  ADD COLUMN rolling_at bigint NOT NULL DEFAULT 0,
  ADD COLUMN summary_look_at timestamptz,
  -- Claims since the last summary was written.
  ADD COLUMN summary_claims smallint NOT NULL DEFAULT 0;

CREATE INDEX threads_to_look_at ON production_memory.threads (summary_look_at)
  WHERE summary_look_at IS NOT NULL;

-- Never changed. `intents` holds messages of the contract, serialized; `began_at` and `ended_at` are the
-- times of the first and the last message.
CREATE TABLE production_memory.summaries (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  id text NOT NULL,
  conversation_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('rolling', 'episodic')),
  content text NOT NULL,
  key_topics text[] NOT NULL,
  intents bytea[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  model_used text NOT NULL,
  first_message_id text NOT NULL,
  last_message_id text NOT NULL,
  first_sequence bigint NOT NULL,
  last_sequence bigint NOT NULL,
  began_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  words tsvector NOT NULL,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT summaries_place_key UNIQUE (conversation_id, kind, first_sequence, tenant_id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES production_memory.threads,
  CHECK (first_sequence > 0 AND last_sequence >= first_sequence)
);

CREATE INDEX summaries_words ON production_memory.summaries USING gin (words);

ALTER TABLE production_memory.summaries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON production_memory.summaries
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT ON production_memory.summaries TO kari_production_memory;

-- Takes conversations of every tenant whose time to be looked at has come, the longest due first. A
-- rolling summary is due after `rolling` messages, an episodic one when nothing was said for `rest` and
-- `fewest` messages are not covered; it covers at most `longest`. At most `most` are claimed: nobody
-- else looks at them for `lease`, twice as long with each claim that was not answered, up to sixteen
-- times. Those with nothing due are put off. Ids and places are all it hands out.
CREATE FUNCTION production_memory.claim_summaries(rolling bigint, rest interval, fewest bigint,
  longest bigint, lease interval, looks integer, most integer)
RETURNS TABLE (tenant_id text, conversation_id text, user_id text, kind text,
  first_sequence bigint, last_sequence bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  WITH looked AS MATERIALIZED (
    SELECT t.tenant_id, t.conversation_id, t.last_user_id, t.last_sequence, t.rolling_through,
      t.episodic_through, t.touched_at, t.summary_look_at
    FROM threads AS t
    WHERE t.summary_look_at <= statement_timestamp()
    ORDER BY t.summary_look_at LIMIT looks
    FOR UPDATE SKIP LOCKED
  ), judged AS (
    SELECT l.*, CASE
      WHEN l.last_user_id = '' THEN NULL
      WHEN l.last_sequence - l.rolling_through >= rolling THEN 'rolling'
      WHEN l.last_sequence - l.episodic_through >= fewest
        AND l.touched_at <= statement_timestamp() - rest THEN 'episodic'
    END AS kind
    FROM looked AS l
  ), placed AS (
    SELECT j.*, row_number()
      OVER (PARTITION BY j.kind IS NULL ORDER BY j.summary_look_at, j.conversation_id) AS place
    FROM judged AS j
  ), changed AS (
    UPDATE threads AS t SET
      rolling_at = t.rolling_through + rolling,
      summary_claims = CASE WHEN p.kind IS NULL THEN 0 ELSE least(t.summary_claims + 1, 4) END,
      summary_look_at = CASE
        WHEN p.kind IS NOT NULL THEN statement_timestamp() + lease * power(2, t.summary_claims)
        WHEN t.touched_at > statement_timestamp() - rest THEN t.touched_at + rest
      END
    FROM placed AS p
    WHERE t.tenant_id = p.tenant_id AND t.conversation_id = p.conversation_id
      AND (p.kind IS NULL OR p.place <= most)
    RETURNING p.*
  )
  SELECT c.tenant_id, c.conversation_id, c.last_user_id, c.kind,
    CASE c.kind WHEN 'rolling' THEN c.rolling_through ELSE c.episodic_through END + 1,
    CASE c.kind WHEN 'rolling' THEN c.rolling_through + rolling
      ELSE least(c.last_sequence, c.episodic_through + longest) END
  FROM changed AS c WHERE c.kind IS NOT NULL ORDER BY c.place
$$;

-- Summaries of every tenant from a place on, and how many there are.
CREATE FUNCTION production_memory.summaries_to_index(after_tenant text, after_id text, most integer)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT s.tenant_id, s.id FROM summaries AS s
  WHERE (s.tenant_id, s.id) > (after_tenant, after_id) AND s.content <> ''
  ORDER BY s.tenant_id, s.id LIMIT most
$$;
CREATE FUNCTION production_memory.summaries_of_all() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$ SELECT count(*) FROM summaries $$;

CREATE POLICY sweeping ON production_memory.summaries FOR SELECT
  TO kari_production_memory_sweeper USING (true);
GRANT SELECT (tenant_id, id, content) ON production_memory.summaries
  TO kari_production_memory_sweeper;
GRANT SELECT (touched_at, last_user_id, rolling_through, episodic_through, summary_look_at,
    summary_claims),
  UPDATE (rolling_at, summary_claims, summary_look_at)
  ON production_memory.threads TO kari_production_memory_sweeper;

-- Conversations of earlier versions are looked at as well.
GRANT SELECT (conversation_id, sequence, user_id) ON production_memory.messages
  TO kari_production_memory_sweeper;
GRANT UPDATE (last_user_id) ON production_memory.threads TO kari_production_memory_sweeper;
SET ROLE kari_production_memory_sweeper;
UPDATE production_memory.threads AS t
SET summary_look_at = statement_timestamp(), last_user_id = coalesce(
  (SELECT m.user_id FROM production_memory.messages AS m
    WHERE m.tenant_id = t.tenant_id AND m.conversation_id = t.conversation_id AND m.user_id <> ''
    ORDER BY m.sequence DESC LIMIT 1), '')
WHERE t.last_sequence > 0;
RESET ROLE;
REVOKE UPDATE (last_user_id) ON production_memory.threads FROM kari_production_memory_sweeper;
REVOKE SELECT (conversation_id, sequence, user_id) ON production_memory.messages
  FROM kari_production_memory_sweeper;

REVOKE ALL ON FUNCTION production_memory.claim_summaries, production_memory.summaries_to_index,
  production_memory.summaries_of_all FROM PUBLIC;
GRANT EXECUTE ON FUNCTION production_memory.claim_summaries, production_memory.summaries_to_index,
  production_memory.summaries_of_all TO kari_production_memory;
-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.claim_summaries OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.summaries_to_index OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.summaries_of_all OWNER TO kari_production_memory_sweeper;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- What is searched; the tenant's condition is the view's, as with the others.
GRANT SELECT ON production_memory.summaries TO kari_conversation_search_views;
CREATE POLICY searching ON production_memory.summaries FOR SELECT
  TO kari_conversation_search_views USING (true);
CREATE VIEW conversation_search.summaries AS
  SELECT id, conversation_id, kind, content, key_topics, intents, created_at, model_used,
    first_message_id, last_message_id, first_sequence, last_sequence, began_at, ended_at, words
  FROM production_memory.summaries WHERE tenant_id = current_setting('kari.tenant', true);
GRANT CREATE ON SCHEMA conversation_search TO kari_conversation_search_views;
ALTER VIEW conversation_search.summaries OWNER TO kari_conversation_search_views;
REVOKE CREATE ON SCHEMA conversation_search FROM kari_conversation_search_views;
SET ROLE kari_conversation_search_views;
GRANT SELECT ON conversation_search.summaries TO kari_conversation_search;
RESET ROLE;

-- migrate:down

DROP VIEW conversation_search.summaries;
DROP FUNCTION production_memory.claim_summaries, production_memory.summaries_to_index,
  production_memory.summaries_of_all;
DROP TABLE production_memory.summaries;
DROP INDEX production_memory.threads_to_look_at;
ALTER TABLE production_memory.threads
  DROP COLUMN touched_at, DROP COLUMN last_user_id, DROP COLUMN rolling_through,
  DROP COLUMN episodic_through, DROP COLUMN rolling_at, DROP COLUMN summary_look_at,
  DROP COLUMN summary_claims;
