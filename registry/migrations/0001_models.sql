-- Versions of models. A name keeps counting when versions are deleted, so that `name:version`
-- never means two things.
CREATE TABLE model_names (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  last_version INTEGER NOT NULL CHECK (last_version >= 1),
  PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  digest TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  main_file TEXT NOT NULL,
  signature TEXT NOT NULL,
  framework TEXT NOT NULL,
  framework_version TEXT NOT NULL,
  description TEXT NOT NULL,
  created_time TEXT NOT NULL,
  updated_time TEXT NOT NULL,
  revision INTEGER NOT NULL,
  UNIQUE (workspace, name, version),
  FOREIGN KEY (workspace, name) REFERENCES model_names (workspace, name)
) STRICT;

CREATE INDEX models_by_workspace ON models (workspace, id);

CREATE TABLE model_files (
  model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  PRIMARY KEY (model, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_files_by_digest ON model_files (digest);

CREATE TABLE model_tags (
  model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_properties (
  model INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE model_aliases (
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  alias TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (workspace, name, alias),
  FOREIGN KEY (workspace, name, version) REFERENCES models (workspace, name, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_aliases_by_version ON model_aliases (workspace, name, version);
