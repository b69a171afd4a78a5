"""Canvas grade events in, course scores kept, alerts out, on your own Kafka.

canvas-live-events ──► intake ──► grade-events ──► scoring ──► grade-alerts
                         │                            │
                         └─► grade-events-refused     └─► grade-scores-changelog ──► web views
"""
