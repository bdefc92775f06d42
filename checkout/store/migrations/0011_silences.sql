-- When a phone was not heard of for a while, written down when it is heard of again. The first row of a phone begins and
-- ends when it was heard of first: from then on it is known.
CREATE TABLE silences (
  device TEXT NOT NULL REFERENCES devices (id),
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (device, since)
) STRICT, WITHOUT ROWID;
INSERT INTO silences (device, since, until) SELECT id, beat_at, beat_at FROM devices WHERE beat_at IS NOT NULL;
