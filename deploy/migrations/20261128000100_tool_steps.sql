-- migrate:up

-- A turn that waits for its user's answer keeps its place in the conversation, but nobody leads it: its
-- `lease_owner` is empty, and `lease_expires_at` is the moment from which on it waits no more. With the
-- last answer it is leased again, in the same state.
ALTER TABLE production_memory.turns
  DROP CONSTRAINT turns_state_check,
  ADD CONSTRAINT turns_state_check CHECK (state IN ('accepted', 'assembling', 'generating',
    'running_tool', 'awaiting_approval', 'committing', 'completed', 'failed', 'cancelled')),
  -- Whether it has rows in tool_steps: who ends a turn without any does not look for them.
  ADD COLUMN uses_tools boolean NOT NULL DEFAULT false;

DROP INDEX production_memory.turns_led;
CREATE UNIQUE INDEX turns_led ON production_memory.turns (tenant_id, conversation_id)
  WHERE state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing');

DROP INDEX production_memory.turns_open;
CREATE INDEX turns_open ON production_memory.turns (tenant_id, user_id)
  WHERE state IN ('accepted', 'assembling', 'generating', 'running_tool', 'awaiting_approval',
    'committing');

-- Calls of tools within turns. `call` and `result` hold messages of the contract, serialized; what is
-- looked for in them stands beside them.
CREATE TABLE production_memory.tool_steps (
  tenant_id text NOT NULL DEFAULT current_setting('kari.tenant') CHECK (tenant_id <> ''),
  turn_id text NOT NULL,
  call_id text NOT NULL,
  -- In the order in which they were recorded first.
  place integer NOT NULL,
  round integer NOT NULL,
  tool_id text NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'awaiting_approval', 'approved', 'denied', 'ended')),
  call bytea NOT NULL,
  text_before text NOT NULL,
  result bytea,
  success boolean NOT NULL DEFAULT false,
  answer_by timestamptz,
  answered_at timestamptz,
  PRIMARY KEY (turn_id, call_id, tenant_id),
  FOREIGN KEY (tenant_id, turn_id) REFERENCES production_memory.turns,
  CHECK ((result IS NOT NULL) = (state = 'ended')),
  CHECK (state <> 'awaiting_approval' OR answer_by IS NOT NULL)
) WITH (fillfactor = 70);

ALTER TABLE production_memory.tool_steps ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON production_memory.tool_steps
  USING (tenant_id = current_setting('kari.tenant', true));
GRANT SELECT, INSERT, UPDATE ON production_memory.tool_steps TO kari_production_memory;

-- The tools that were used for an answer: messages of the contract, serialized.
ALTER TABLE production_memory.messages ADD COLUMN tools_called bytea[] NOT NULL DEFAULT '{}';

-- As before, and turns whose user has not answered in time.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
SET ROLE kari_production_memory_sweeper;
CREATE OR REPLACE FUNCTION production_memory.abandoned_conversations(patience interval, most integer)
RETURNS TABLE (tenant_id text, conversation_id text)
LANGUAGE sql SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT t.tenant_id, t.conversation_id
  FROM threads AS t
  JOIN (
    SELECT u.tenant_id, u.conversation_id
    FROM turns AS u
    WHERE u.state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval', 'committing')
      AND u.lease_expires_at < statement_timestamp()
    UNION
    SELECT w.tenant_id, w.conversation_id
    FROM turns AS w
    WHERE w.state = 'accepted'
      AND w.created_at < statement_timestamp() - patience
      AND NOT EXISTS (
        SELECT FROM turns AS l
        WHERE l.tenant_id = w.tenant_id AND l.conversation_id = w.conversation_id
          AND l.state IN ('assembling', 'generating', 'running_tool', 'awaiting_approval',
            'committing')
      )
  ) AS abandoned USING (tenant_id, conversation_id)
  LIMIT most
  FOR UPDATE OF t SKIP LOCKED
$$;
RESET ROLE;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- migrate:down

GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
SET ROLE kari_production_memory_sweeper;
CREATE OR REPLACE FUNCTION production_memory.abandoned_conversations(patience interval, most integer)
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
RESET ROLE;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;
ALTER TABLE production_memory.messages DROP COLUMN tools_called;
DROP TABLE production_memory.tool_steps;
-- What waits for its user is left to whoever finds it abandoned.
ALTER TABLE production_memory.turns NO FORCE ROW LEVEL SECURITY;
UPDATE production_memory.turns SET state = 'running_tool' WHERE state = 'awaiting_approval';
ALTER TABLE production_memory.turns FORCE ROW LEVEL SECURITY;
DROP INDEX production_memory.turns_led;
CREATE UNIQUE INDEX turns_led ON production_memory.turns (tenant_id, conversation_id)
  WHERE state IN ('assembling', 'generating', 'running_tool', 'committing');
DROP INDEX production_memory.turns_open;
CREATE INDEX turns_open ON production_memory.turns (tenant_id, user_id)
  WHERE state IN ('accepted', 'assembling', 'generating', 'running_tool', 'committing');
ALTER TABLE production_memory.turns
  DROP COLUMN uses_tools,
  DROP CONSTRAINT turns_state_check,
  ADD CONSTRAINT turns_state_check CHECK (state IN ('accepted', 'assembling', 'generating',
    'running_tool', 'committing', 'completed', 'failed', 'cancelled'));
