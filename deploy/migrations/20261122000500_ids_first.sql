-- migrate:up

-- Ids before the tenant. A plan that is made while a table is empty, and kept for as long as nobody
-- has analyzed it, takes any index whose first column it knows for as good as the primary key: with
-- the tenant first, looking for one turn then read all turns of its tenant.
ALTER TABLE production_memory.turns
  DROP CONSTRAINT turns_tenant_id_conversation_id_request_id_key,
  ADD CONSTRAINT turns_request_key UNIQUE (conversation_id, request_id, tenant_id);

ALTER TABLE production_memory.messages
  DROP CONSTRAINT messages_tenant_id_conversation_id_sequence_key,
  ADD CONSTRAINT messages_sequence_key UNIQUE (conversation_id, sequence, tenant_id);

ALTER TABLE conversation_manager.conversations
  DROP CONSTRAINT conversations_tenant_id_created_by_request_id_key,
  ADD CONSTRAINT conversations_request_key UNIQUE (created_by, request_id, tenant_id);

-- migrate:down

ALTER TABLE conversation_manager.conversations
  DROP CONSTRAINT conversations_request_key,
  ADD UNIQUE (tenant_id, created_by, request_id);

ALTER TABLE production_memory.messages
  DROP CONSTRAINT messages_sequence_key,
  ADD UNIQUE (tenant_id, conversation_id, sequence);

ALTER TABLE production_memory.turns
  DROP CONSTRAINT turns_request_key,
  ADD UNIQUE (tenant_id, conversation_id, request_id);
