-- Webhook endpoints and their messages beside the orders' own callbacks; alerts for the owner, each told once.

-- Where a merchant's systems hear of events. A paused one collects its messages.
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY NOT NULL,
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  url TEXT NOT NULL,
  events TEXT NOT NULL DEFAULT '', -- separated by spaces; '': all
  description TEXT NOT NULL DEFAULT '',
  secret TEXT NOT NULL CHECK (length(secret) >= 32),
  previous_secret TEXT NOT NULL DEFAULT '',
  previous_secret_until INTEGER NOT NULL DEFAULT 0,
  failing_since INTEGER,
  paused_at INTEGER,
  pause TEXT NOT NULL DEFAULT '' CHECK (pause IN ('', 'hand', 'gone', 'failing')),
  created_at INTEGER NOT NULL,
  CHECK ((pause = '') = (paused_at IS NULL))
) STRICT;
CREATE INDEX endpoints_merchant ON endpoints (merchant, created_at, id);

-- Messages may be about something else than an order now, and may wait for a paused endpoint ('held') or lose theirs
-- ('dropped'). SQLite cannot change a CHECK, so the tables are made anew.
CREATE TABLE deliveries_new (
  id TEXT PRIMARY KEY NOT NULL,
  order_token TEXT NOT NULL DEFAULT '',
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  dialect TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'none', 'held', 'dropped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  done_at INTEGER,
  endpoint TEXT NOT NULL DEFAULT '',
  subject TEXT NOT NULL DEFAULT '',
  body TEXT NOT NULL DEFAULT '',
  tried_before INTEGER NOT NULL DEFAULT 0,
  CHECK (endpoint <> '' OR order_token <> '')
) STRICT;
INSERT INTO deliveries_new
  (id, order_token, merchant, dialect, event, url, state, attempts, due_at, created_at, done_at)
  SELECT id, order_token, merchant, dialect, event, url, state, attempts, due_at, created_at, done_at FROM deliveries;
CREATE TABLE attempts_new (
  delivery TEXT NOT NULL REFERENCES deliveries_new (id),
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER,
  elapsed_ms INTEGER NOT NULL,
  answer TEXT NOT NULL,
  error TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT;
INSERT INTO attempts_new (delivery, number, at, status, elapsed_ms, answer, error)
  SELECT delivery, number, at, status, elapsed_ms, answer, error FROM attempts;
DROP TABLE attempts;
DROP TABLE deliveries;
ALTER TABLE deliveries_new RENAME TO deliveries;
ALTER TABLE attempts_new RENAME TO attempts;
CREATE UNIQUE INDEX deliveries_once ON deliveries (order_token, event, dialect, endpoint, subject);
CREATE INDEX deliveries_due ON deliveries (endpoint, due_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_held ON deliveries (endpoint) WHERE state = 'held';
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_endpoint ON deliveries (endpoint, created_at, id) WHERE endpoint <> '';

-- What the owner is told of: one open row for each condition, until it is over.
CREATE TABLE alerts (
  id TEXT PRIMARY KEY NOT NULL,
  condition TEXT NOT NULL,
  kind TEXT NOT NULL,
  level INTEGER NOT NULL, -- grows where the same condition gets worse
  details TEXT NOT NULL, -- JSON object of texts and numbers
  raised_at INTEGER NOT NULL,
  told_at INTEGER,
  told_level INTEGER NOT NULL DEFAULT 0,
  cleared_at INTEGER,
  due_at INTEGER, -- when to tell next; NULL: nothing to tell
  attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (condition) WHERE cleared_at IS NULL;
CREATE INDEX alerts_due ON alerts (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX alerts_raised ON alerts (raised_at, id);
CREATE INDEX alerts_condition ON alerts (condition, told_at);

-- Troubles that no other row tells of: since when, and what was said.
CREATE TABLE troubles (
  name TEXT PRIMARY KEY NOT NULL,
  since INTEGER NOT NULL,
  said TEXT NOT NULL
) STRICT;
