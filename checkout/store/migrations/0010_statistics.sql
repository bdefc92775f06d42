-- What became of the orders and payments of each Beijing day that is over, summed up once, so that a page about a year
-- answers at once.

CREATE TABLE tallied_days (
  day INTEGER PRIMARY KEY NOT NULL, -- its first second
  version INTEGER NOT NULL DEFAULT 0, -- grows whenever the day changes, so that sums of what was before are not kept
  summed INTEGER NOT NULL DEFAULT 0 CHECK (summed IN (0, 1))
) STRICT;

-- `name` is what was counted; `part` tells one of it from the others: an hour of the week, a bound in seconds, else 0.
CREATE TABLE tallies (
  name TEXT NOT NULL,
  day INTEGER NOT NULL,
  part INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (name, day, part)
) STRICT, WITHOUT ROWID;

-- The moment of a day at which an account had the fewest amounts left for orders of one price.
CREATE TABLE daily_pressure (
  day INTEGER NOT NULL,
  account TEXT NOT NULL,
  held INTEGER NOT NULL,
  offered INTEGER NOT NULL CHECK (offered > 0),
  PRIMARY KEY (day, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_action ON audit (action);
