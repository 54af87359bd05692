-- What a service has run. `percent` is over 0 for those that requests are divided between; where
-- none is, all of them go to the revision that the service names.
CREATE TABLE service_revisions (
  workspace TEXT NOT NULL,
  service TEXT NOT NULL,
  revision INTEGER NOT NULL,
  image_name TEXT NOT NULL,
  image_version INTEGER NOT NULL,
  image_digest TEXT NOT NULL,
  deployment TEXT NOT NULL,
  same_as INTEGER NOT NULL DEFAULT 0,
  percent INTEGER NOT NULL DEFAULT 0,
  created_time TEXT NOT NULL,
  PRIMARY KEY (workspace, service, revision),
  FOREIGN KEY (workspace, service) REFERENCES services (workspace, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO service_revisions (workspace, service, revision, image_name, image_version,
  image_digest, deployment, created_time)
SELECT s.workspace, s.name, s.revision, s.image_name, s.image_version, i.digest, s.deployment,
  s.updated_time
FROM services s JOIN images i ON i.workspace = s.workspace AND i.name = s.image_name
  AND i.version = s.image_version
WHERE s.endpoint <> '';
