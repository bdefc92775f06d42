-- The owner's pages: one password, browsers that are signed in, and indexes so that they answer at once however much was sold.

CREATE TABLE owner (
  id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
  password TEXT NOT NULL DEFAULT '', -- argon2id; '' before the first visit
  link TEXT NOT NULL DEFAULT '', -- SHA-256 of the one-time link of the first visit
  link_until INTEGER NOT NULL DEFAULT 0,
  changed_at INTEGER NOT NULL
) STRICT;

-- A browser that is signed in. The cookie is not kept, only its SHA-256.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  proved_at INTEGER NOT NULL, -- when the password was typed last
  address TEXT NOT NULL,
  agent TEXT NOT NULL
) STRICT;

-- Tries at the password. `who` is one bucket for all strangers, or a browser that has been signed in before.
CREATE TABLE password_tries (
  id TEXT PRIMARY KEY NOT NULL,
  who TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX password_tries_at ON password_tries (who, at);

-- What the owner edits while it runs; it goes before checkout.toml.
CREATE TABLE preferences (
  name TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) STRICT;

-- What each account took on a Beijing day that is over: such a day never changes any more, as an order is paid when its
-- money comes. A row without an account says that the day is summed up.
CREATE TABLE daily_sales (
  day INTEGER NOT NULL, -- its first second
  account TEXT NOT NULL,
  orders INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (day, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_failed ON deliveries (done_at) WHERE state = 'failed';
CREATE INDEX deliveries_unaddressed ON deliveries (created_at) WHERE state = 'none';
DROP INDEX payments_review;
CREATE INDEX payments_inbox ON payments (received_at, id) WHERE judgement IN ('suspected', 'unmatched', 'unreadable');
CREATE INDEX payments_order ON payments (order_token);
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_subject ON audit (subject, at);
CREATE INDEX claims_order ON claims (order_token);
