CREATE TABLE tokens (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  workspace TEXT REFERENCES workspaces (name) ON DELETE CASCADE,
  secret_digest TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_time TEXT NOT NULL,
  expires_time TEXT NOT NULL DEFAULT '',
  revoked_time TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_time = '';

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time TEXT NOT NULL,
  actor TEXT NOT NULL,
  token_id TEXT NOT NULL,
  role TEXT NOT NULL,
  peer TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  workspace TEXT NOT NULL,
  status INTEGER NOT NULL,
  code TEXT NOT NULL,
  operation_id TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_workspace ON audit (workspace, seq);
