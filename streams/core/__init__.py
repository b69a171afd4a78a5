"""The pure core: events, scores, alerts. No Kafka, clock, network or disk."""
