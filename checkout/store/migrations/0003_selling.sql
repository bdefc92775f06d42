-- Selling without a shop: keys, receipts, claims, and who has opened how much.

-- Licence keys; each goes to one order.
CREATE TABLE product_keys (
  product TEXT NOT NULL REFERENCES products (id),
  key TEXT NOT NULL,
  order_token TEXT,
  added_at INTEGER NOT NULL,
  taken_at INTEGER,
  PRIMARY KEY (product, key)
) STRICT;
CREATE INDEX product_keys_free ON product_keys (product, added_at, key) WHERE order_token IS NULL;
CREATE INDEX product_keys_order ON product_keys (order_token) WHERE order_token IS NOT NULL;

-- What a buyer keeps. Its token is not the order's: it opens the goods, for ever.
CREATE TABLE receipts (
  token TEXT PRIMARY KEY NOT NULL,
  order_token TEXT NOT NULL UNIQUE REFERENCES orders (token),
  deliver TEXT NOT NULL,
  goods TEXT NOT NULL,
  short INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;

-- What buyers say when they have paid and nothing happened. It confirms nothing by itself.
CREATE TABLE claims (
  id TEXT PRIMARY KEY NOT NULL,
  order_token TEXT NOT NULL REFERENCES orders (token),
  amount INTEGER NOT NULL CHECK (amount > 0),
  paid_around TEXT NOT NULL,
  last_digits TEXT NOT NULL,
  note TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  settled_at INTEGER
) STRICT;
CREATE UNIQUE INDEX claims_open ON claims (order_token) WHERE settled_at IS NULL;
CREATE INDEX claims_waiting ON claims (created_at, id) WHERE settled_at IS NULL;

-- Whose pending orders these are (a keyed digest of an address), so that one visitor cannot use up the amounts.
ALTER TABLE orders ADD COLUMN client TEXT NOT NULL DEFAULT '';
CREATE INDEX orders_client ON orders (client, created_at) WHERE client <> '';
CREATE INDEX orders_product ON orders (product, state, created_at) WHERE product <> '';
