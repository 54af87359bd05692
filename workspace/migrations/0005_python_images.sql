ALTER TABLE images ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

-- Blobs that an image was made of and can be made of again.
CREATE TABLE image_sources (
  image INTEGER NOT NULL REFERENCES images (seq) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;

-- What a set of requirements resolved to, by everything that decided it.
CREATE TABLE resolved (
  key TEXT PRIMARY KEY,
  lock TEXT NOT NULL,
  created_time TEXT NOT NULL
) STRICT;
