-- The last call that was signed with a wrong key, so that an owner can tell it from no call at all. `whose` is a device,
-- or the kind of an app where the call names none of ours: as many rows as devices and kinds, whoever calls.
CREATE TABLE strangers (
  whose TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
