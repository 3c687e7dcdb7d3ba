-- migrate:up

-- Of users that were made by a request with an id: who repeats it is given the same user.
ALTER TABLE identity.users ADD COLUMN request_id text;

CREATE UNIQUE INDEX users_by_request ON identity.users (tenant_id, request_id)
  WHERE request_id IS NOT NULL;

-- migrate:down

ALTER TABLE identity.users DROP COLUMN request_id;
