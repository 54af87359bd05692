CREATE TABLE environments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace TEXT NOT NULL REFERENCES workspaces (name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_time TEXT NOT NULL,
  updated_time TEXT NOT NULL,
  change INTEGER NOT NULL DEFAULT 1,
  UNIQUE (workspace, name)
) STRICT;

CREATE TABLE promotions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  workspace TEXT NOT NULL REFERENCES workspaces (name) ON DELETE CASCADE,
  environment TEXT NOT NULL,
  model TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  service TEXT NOT NULL,
  state TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  decided_by TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL,
  image TEXT NOT NULL DEFAULT '',
  image_digest TEXT NOT NULL DEFAULT '',
  previous_image TEXT NOT NULL DEFAULT '',
  evidence TEXT NOT NULL DEFAULT '[]',
  operation_id TEXT NOT NULL DEFAULT '',
  error_code TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  created_time TEXT NOT NULL,
  decided_time TEXT NOT NULL DEFAULT '',
  ended_time TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX promotions_by_workspace ON promotions (workspace, seq);
CREATE INDEX promotions_by_operation ON promotions (operation_id) WHERE operation_id <> '';
