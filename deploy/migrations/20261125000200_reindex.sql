-- migrate:up

-- Messages of every tenant that have a text, from a place on: ids are all it hands out.
CREATE FUNCTION production_memory.messages_to_index(after_tenant text, after_id text, most integer)
RETURNS TABLE (tenant_id text, id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$
  SELECT m.tenant_id, m.id FROM messages AS m
  WHERE (m.tenant_id, m.id) > (after_tenant, after_id) AND m.content <> ''
  ORDER BY m.tenant_id, m.id LIMIT most
$$;

-- How many messages all tenants have together.
CREATE FUNCTION production_memory.messages_of_all() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = production_memory, pg_temp
AS $$ SELECT coalesce(sum(last_sequence), 0)::bigint FROM threads $$;

CREATE POLICY sweeping ON production_memory.messages FOR SELECT
  TO kari_production_memory_sweeper USING (true);
GRANT SELECT (tenant_id, id, content) ON production_memory.messages
  TO kari_production_memory_sweeper;
GRANT SELECT (last_sequence) ON production_memory.threads TO kari_production_memory_sweeper;

REVOKE ALL ON FUNCTION production_memory.messages_to_index, production_memory.messages_of_all
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION production_memory.messages_to_index, production_memory.messages_of_all
  TO kari_production_memory;
-- A new owner needs the right to create, but only while it becomes the owner.
GRANT CREATE ON SCHEMA production_memory TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.messages_to_index OWNER TO kari_production_memory_sweeper;
ALTER FUNCTION production_memory.messages_of_all OWNER TO kari_production_memory_sweeper;
REVOKE CREATE ON SCHEMA production_memory FROM kari_production_memory_sweeper;

-- migrate:down

DROP FUNCTION production_memory.messages_to_index;
DROP FUNCTION production_memory.messages_of_all;
DROP POLICY sweeping ON production_memory.messages;
REVOKE SELECT (tenant_id, id, content) ON production_memory.messages
  FROM kari_production_memory_sweeper;
REVOKE SELECT (last_sequence) ON production_memory.threads FROM kari_production_memory_sweeper;
