-- What an official gateway gave us to show for an order: asked for once, then shown again.
CREATE TABLE prompts (
  order_token TEXT NOT NULL REFERENCES orders (token),
  channel TEXT NOT NULL,
  scene TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('qr', 'link', 'client')),
  text TEXT NOT NULL,
  params TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (order_token, channel, scene)
) STRICT;

-- Orders at a gateway that should be asked about: while their page is open, and once when they end.
CREATE TABLE gateway_watch (
  order_token TEXT PRIMARY KEY NOT NULL REFERENCES orders (token),
  channel TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  ask INTEGER NOT NULL DEFAULT 0,
  closing INTEGER NOT NULL DEFAULT 0 CHECK (closing IN (0, 1))
) STRICT;
CREATE INDEX gateway_watch_due ON gateway_watch (due_at);

-- Refunds are rows first, then calls; the number is the same at every try.
ALTER TABLE refunds ADD COLUMN channel TEXT NOT NULL DEFAULT 'personal';
ALTER TABLE refunds ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD COLUMN due_at INTEGER;
ALTER TABLE refunds ADD COLUMN error TEXT NOT NULL DEFAULT '';
CREATE INDEX refunds_due ON refunds (due_at) WHERE state = 'asked';
