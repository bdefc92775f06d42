-- How often somebody may ask all servers of one PostgreSQL together: what is left for whom, by a digest of the address or
-- key. Only for who asks a lot, and for half a minute; with SQLite it stays empty.
CREATE TABLE buckets (
  name TEXT PRIMARY KEY,
  held INTEGER NOT NULL,
  filled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
