-- Amounts are fen, times are Unix seconds. The CHECKs and indexes keep the promises of the model.

CREATE TABLE merchants (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  key TEXT NOT NULL CHECK (length(key) >= 16),
  previous_key TEXT NOT NULL DEFAULT '',
  previous_key_until INTEGER NOT NULL DEFAULT 0,
  mode TEXT NOT NULL DEFAULT 'strict' CHECK (mode IN ('strict', 'compat')),
  guard_param INTEGER NOT NULL DEFAULT 0 CHECK (guard_param IN (0, 1)),
  reuse INTEGER NOT NULL DEFAULT 1 CHECK (reuse IN (0, 1)),
  notify_url TEXT NOT NULL DEFAULT '',
  return_url TEXT NOT NULL DEFAULT '',
  allow_hosts TEXT NOT NULL DEFAULT '[]',
  disabled_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
  id TEXT PRIMARY KEY NOT NULL,
  method TEXT NOT NULL CHECK (method IN ('wechat', 'alipay')),
  channel TEXT NOT NULL DEFAULT 'personal',
  code TEXT NOT NULL DEFAULT '',
  "offset" TEXT NOT NULL DEFAULT 'up' CHECK ("offset" IN ('up', 'down', 'nearest')),
  max_offset INTEGER NOT NULL DEFAULT 100 CHECK (max_offset >= 0),
  offline TEXT NOT NULL DEFAULT 'warn' CHECK (offline IN ('block', 'warn', 'sell')),
  weight INTEGER NOT NULL DEFAULT 1 CHECK (weight > 0),
  daily_cap INTEGER CHECK (daily_cap > 0),
  disabled_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

-- QR codes that carry their amount.
CREATE TABLE codes (
  account TEXT NOT NULL REFERENCES accounts (id),
  price INTEGER NOT NULL CHECK (price > 0),
  code TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (account, price)
) STRICT;

CREATE TABLE devices (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('vmq', 'smsforwarder', 'generic')),
  key TEXT NOT NULL UNIQUE,
  previous_key TEXT NOT NULL DEFAULT '',
  previous_key_until INTEGER NOT NULL DEFAULT 0,
  token TEXT NOT NULL UNIQUE,
  beat_at INTEGER,
  push_at INTEGER,
  revoked_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE device_accounts (
  device TEXT NOT NULL REFERENCES devices (id),
  account TEXT NOT NULL REFERENCES accounts (id),
  PRIMARY KEY (device, account)
) STRICT;
CREATE INDEX device_accounts_account ON device_accounts (account);

CREATE TABLE orders (
  token TEXT PRIMARY KEY NOT NULL,
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  dialect TEXT NOT NULL,
  number TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 1,
  state TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'expired', 'closed')),
  late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1)),
  method TEXT NOT NULL CHECK (method IN ('', 'wechat', 'alipay')),
  account TEXT NOT NULL,
  channel TEXT NOT NULL,
  price INTEGER NOT NULL CHECK (price > 0),
  really_price INTEGER CHECK (really_price > 0),
  title TEXT NOT NULL,
  content TEXT NOT NULL,
  param TEXT NOT NULL,
  buyer TEXT NOT NULL,
  price_text TEXT NOT NULL,
  notify_url TEXT NOT NULL,
  return_url TEXT NOT NULL,
  extra TEXT NOT NULL,
  asked TEXT NOT NULL,
  product TEXT NOT NULL,
  quantity INTEGER NOT NULL DEFAULT 1,
  rev INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  shown_at INTEGER,
  paid_at INTEGER,
  closed_at INTEGER,
  CHECK ((state = 'paid') = (paid_at IS NOT NULL)),
  CHECK ((account = '') = (really_price IS NULL))
) STRICT;
CREATE UNIQUE INDEX orders_number ON orders (merchant, number, attempt);
CREATE INDEX orders_created ON orders (created_at, token);
CREATE INDEX orders_expiring ON orders (expires_at) WHERE state = 'pending';
CREATE INDEX orders_paid ON orders (account, paid_at, really_price) WHERE state = 'paid';
CREATE INDEX orders_amount ON orders (really_price, created_at);

-- Which order an amount of an account stands for: the last one that it was given to. Held until free_at, resting
-- until rested_at; a slot is never "returned", time alone frees it, so none can leak. An order whose buyer switched
-- the method keeps both its slots.
CREATE TABLE slots (
  account TEXT NOT NULL REFERENCES accounts (id),
  amount INTEGER NOT NULL CHECK (amount > 0),
  order_token TEXT NOT NULL,
  free_at INTEGER NOT NULL,
  rested_at INTEGER NOT NULL,
  PRIMARY KEY (account, amount)
) STRICT, WITHOUT ROWID;
CREATE INDEX slots_order ON slots (order_token);

CREATE TABLE payments (
  id TEXT PRIMARY KEY NOT NULL,
  channel TEXT NOT NULL,
  reference TEXT NOT NULL,
  device TEXT NOT NULL,
  method TEXT NOT NULL,
  amount INTEGER,
  judgement TEXT NOT NULL CHECK (judgement IN
    ('matched', 'late', 'suspected', 'unmatched', 'unreadable', 'ignored', 'linked')),
  order_token TEXT NOT NULL DEFAULT '',
  account TEXT NOT NULL DEFAULT '',
  raw TEXT NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  happened_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  judged_at INTEGER,
  UNIQUE (channel, reference),
  CHECK ((judgement IN ('matched', 'late', 'linked')) <= (order_token <> ''))
) STRICT;
CREATE INDEX payments_received ON payments (received_at, id);
CREATE INDEX payments_review ON payments (received_at) WHERE judgement IN ('suspected', 'unmatched', 'unreadable');
CREATE INDEX payments_recent ON payments (device, method, amount, received_at);
-- An order is settled by one payment at the most.
CREATE UNIQUE INDEX payments_settling ON payments (order_token) WHERE judgement IN ('matched', 'late', 'linked');

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY NOT NULL,
  order_token TEXT NOT NULL REFERENCES orders (token),
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  dialect TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'none')),
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  done_at INTEGER
) STRICT;
CREATE UNIQUE INDEX deliveries_once ON deliveries (order_token, event, dialect);
CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_created ON deliveries (created_at, id);

CREATE TABLE attempts (
  delivery TEXT NOT NULL REFERENCES deliveries (id),
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  status INTEGER,
  elapsed_ms INTEGER NOT NULL,
  answer TEXT NOT NULL,
  error TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT;

CREATE TABLE refunds (
  id TEXT PRIMARY KEY NOT NULL,
  order_token TEXT NOT NULL REFERENCES orders (token),
  number TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('asked', 'done', 'failed', 'by_hand')),
  created_at INTEGER NOT NULL,
  done_at INTEGER
) STRICT;
CREATE UNIQUE INDEX refunds_number ON refunds (order_token, number);

-- What an owner sells without a shop of its own. A page carries an id only, never a price.
CREATE TABLE products (
  id TEXT PRIMARY KEY NOT NULL,
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  title_zh TEXT NOT NULL,
  title_en TEXT NOT NULL,
  price INTEGER NOT NULL CHECK (price > 0),
  lowest INTEGER CHECK (lowest > 0),
  highest INTEGER CHECK (highest >= lowest),
  max_quantity INTEGER NOT NULL DEFAULT 1 CHECK (max_quantity > 0),
  stock INTEGER CHECK (stock >= 0),
  per_buyer INTEGER CHECK (per_buyer > 0),
  origins TEXT NOT NULL DEFAULT '[]',
  return_url TEXT NOT NULL DEFAULT '',
  deliver TEXT NOT NULL DEFAULT 'return' CHECK (deliver IN ('return', 'text', 'keys', 'file', 'link')),
  goods TEXT NOT NULL DEFAULT '',
  low_stock INTEGER NOT NULL DEFAULT 5,
  brand TEXT NOT NULL DEFAULT '{}',
  disabled_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

-- Who did by hand what changes money, keys or settings. Rows are only ever added.
CREATE TABLE audit (
  id TEXT PRIMARY KEY NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

-- Our own signing keys (the ES256 key of returns), shared by all processes.
CREATE TABLE signing_keys (
  id TEXT PRIMARY KEY NOT NULL,
  private_pem TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
