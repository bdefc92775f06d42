-- The native API: its keys, what was answered under an idempotency key, and lists of one merchant page by page.

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY NOT NULL,
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  name TEXT NOT NULL,
  digest TEXT NOT NULL UNIQUE, -- SHA-256 of the key, which is not kept
  shown TEXT NOT NULL,
  scopes TEXT NOT NULL, -- separated by spaces
  created_at INTEGER NOT NULL,
  used_at INTEGER,
  revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_merchant ON api_keys (merchant, created_at, id);

-- Written in the transaction that did what was asked, so that neither is there without the other.
CREATE TABLE answered (
  merchant INTEGER NOT NULL REFERENCES merchants (id),
  key TEXT NOT NULL,
  request TEXT NOT NULL, -- SHA-256 of what was asked
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (merchant, key)
) STRICT;
CREATE INDEX answered_created ON answered (created_at);

-- Whose order a payment stands for; 0: nobody's. The same as its order's merchant, kept here for the lists.
ALTER TABLE payments ADD COLUMN merchant INTEGER NOT NULL DEFAULT 0;
UPDATE payments SET merchant = (SELECT orders.merchant FROM orders WHERE orders.token = payments.order_token)
  WHERE order_token IN (SELECT token FROM orders);
CREATE INDEX payments_merchant ON payments (merchant, judgement, received_at, id);

CREATE INDEX orders_merchant ON orders (merchant, state, created_at, token);
CREATE INDEX orders_ref ON orders (merchant, buyer, created_at, token) WHERE buyer <> '';
