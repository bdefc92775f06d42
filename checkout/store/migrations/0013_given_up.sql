-- What was given up is looked for among everything that was ever sent.
CREATE INDEX deliveries_given_up ON deliveries (created_at, id) WHERE state = 'failed';
