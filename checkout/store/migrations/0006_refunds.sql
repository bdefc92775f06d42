-- Money that came and was booked to no order (paid twice, a wrong amount) can go back too: the payment it is; '' for the
-- money that an order was settled with.
ALTER TABLE refunds ADD COLUMN payment TEXT NOT NULL DEFAULT '';
CREATE INDEX refunds_payment ON refunds (payment) WHERE payment <> '';
CREATE INDEX refunds_created ON refunds (created_at, id);
CREATE INDEX refunds_by_number ON refunds (number);
