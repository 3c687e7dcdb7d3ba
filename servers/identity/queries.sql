-- name: tenant_by_name
SELECT id FROM tenants WHERE name = $1;

-- name: lock_first_accounts
SELECT pg_advisory_xact_lock(hashtext('kari.identity.first_accounts'));

-- name: any_tenant
SELECT EXISTS (SELECT FROM tenants);

-- name: insert_tenant
INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3);

-- name: user_by_name
SELECT id, tenant_id, name, roles, created_at, password_hash FROM users WHERE name = $1;

-- name: users_after
SELECT id, tenant_id, name, roles, created_at, password_hash FROM users
WHERE name > $1 ORDER BY name LIMIT $2;

-- name: insert_user
INSERT INTO users (id, tenant_id, name, roles, created_at, password_hash, request_id)
VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''))
ON CONFLICT DO NOTHING
RETURNING id;

-- name: user_by_request
SELECT id, tenant_id, name, roles, created_at, password_hash FROM users WHERE request_id = $1;

-- name: set_roles
UPDATE users SET roles = $2 WHERE id = $1
RETURNING id, tenant_id, name, roles, created_at, password_hash;

-- name: renew_password_hash
-- Only if nobody changed the password meanwhile.
UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2;

-- name: delete_expired_sessions
DELETE FROM sessions WHERE user_id = $1 AND expires_at < $2;

-- name: insert_session
INSERT INTO sessions (id, user_id, rotated_at, expires_at) VALUES ($1, $2, $3, $4);

-- name: insert_refresh_token
INSERT INTO refresh_tokens (hash, session_id, generation, expires_at)
SELECT $1, id, generation, expires_at FROM sessions WHERE id = $2;

-- name: delete_expired_refresh_tokens
DELETE FROM refresh_tokens WHERE session_id = $1 AND expires_at < $2;

-- name: presented_token
-- Locks the session: of two refreshes at once the second sees what the first did.
SELECT s.id AS session_id, t.generation, t.expires_at, s.generation AS session_generation,
    s.rotated_at AS session_rotated_at, s.ended_at AS session_ended_at
FROM refresh_tokens t JOIN sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id
WHERE t.hash = $1
FOR UPDATE OF s;

-- name: user_of_session
SELECT u.id, u.tenant_id, u.name, u.roles, u.created_at, u.password_hash
FROM users u JOIN sessions s ON s.tenant_id = u.tenant_id AND s.user_id = u.id
WHERE s.id = $1;

-- name: rotate_session
UPDATE sessions SET generation = generation + 1, rotated_at = $2, expires_at = $3 WHERE id = $1;

-- name: end_session
UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL;

-- name: end_session_of_token
UPDATE sessions s SET ended_at = $2
FROM refresh_tokens t
WHERE t.hash = $1 AND s.tenant_id = t.tenant_id AND s.id = t.session_id AND s.ended_at IS NULL
RETURNING s.id;
