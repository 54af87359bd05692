CREATE TABLE workspaces (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  location TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  resource_group TEXT NOT NULL,
  description TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_time TEXT NOT NULL
) STRICT;

CREATE TABLE image_names (
  workspace TEXT NOT NULL REFERENCES workspaces (name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  last_version INTEGER NOT NULL,
  PRIMARY KEY (workspace, name)
) STRICT;

CREATE TABLE images (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace TEXT NOT NULL REFERENCES workspaces (name),
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  state TEXT NOT NULL,
  digest TEXT NOT NULL DEFAULT '',
  config_digest TEXT NOT NULL DEFAULT '',
  size INTEGER NOT NULL DEFAULT 0,
  description TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  operation_id TEXT NOT NULL,
  tags TEXT NOT NULL,
  properties TEXT NOT NULL,
  created_time TEXT NOT NULL,
  change INTEGER NOT NULL DEFAULT 1,
  UNIQUE (workspace, name, version)
) STRICT;

CREATE TABLE image_models (
  image INTEGER NOT NULL REFERENCES images (seq) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (image, position)
) STRICT;

CREATE TABLE image_layers (
  image INTEGER NOT NULL REFERENCES images (seq) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  summary TEXT NOT NULL,
  digest TEXT NOT NULL,
  diff_id TEXT NOT NULL,
  size INTEGER NOT NULL,
  unpacked_size INTEGER NOT NULL,
  PRIMARY KEY (image, position)
) STRICT;

CREATE TABLE services (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace TEXT NOT NULL REFERENCES workspaces (name),
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  target TEXT NOT NULL,
  image_name TEXT NOT NULL,
  image_version INTEGER NOT NULL,
  port INTEGER NOT NULL,
  endpoint TEXT NOT NULL DEFAULT '',
  cause TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL,
  revision INTEGER NOT NULL,
  tags TEXT NOT NULL,
  properties TEXT NOT NULL,
  created_time TEXT NOT NULL,
  updated_time TEXT NOT NULL,
  operation_id TEXT NOT NULL,
  change INTEGER NOT NULL DEFAULT 1,
  UNIQUE (workspace, name),
  FOREIGN KEY (workspace, image_name, image_version) REFERENCES images (workspace, name, version)
) STRICT;
CREATE INDEX services_by_image ON services (workspace, image_name, image_version);

CREATE TABLE operations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  workspace TEXT NOT NULL,
  resource TEXT NOT NULL,
  phase TEXT NOT NULL DEFAULT '',
  percent INTEGER NOT NULL DEFAULT 0,
  error_code TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  error_cause TEXT NOT NULL DEFAULT '',
  fix TEXT NOT NULL DEFAULT '',
  created_time TEXT NOT NULL,
  ended_time TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX operations_by_workspace ON operations (workspace, seq);
CREATE INDEX operations_unfinished ON operations (state) WHERE state IN ('NotStarted', 'Running');

CREATE TABLE operation_events (
  operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  percent INTEGER NOT NULL,
  PRIMARY KEY (operation, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  key TEXT NOT NULL,
  target TEXT NOT NULL,
  body_digest TEXT NOT NULL,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body TEXT NOT NULL,
  created_time TEXT NOT NULL,
  PRIMARY KEY (key, target)
) STRICT;
CREATE INDEX idempotency_by_time ON idempotency (created_time);

CREATE TABLE layer_cache (
  key TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  summary TEXT NOT NULL,
  media_type TEXT NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL,
  diff_id TEXT NOT NULL,
  unpacked_size INTEGER NOT NULL
) STRICT;

CREATE TABLE file_digests (
  path TEXT PRIMARY KEY,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  size INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  digest TEXT NOT NULL
) STRICT;
