"""How this process gets into Kafka: encrypted or not, as whom, and each client's words for it.

Three clients speak to Kafka: aiokafka (Faust's consumer, readers), librdkafka (transactions) and
kafka-python (administration). One `Kafka` tells all of them where it is and how to get in, so that
no two can disagree. Passwords come from files, read anew for each connection that is made.
"""

from streams.security.kafka import Kafka, Mechanism, Protocol, Security, hosts
from streams.security.loopback import is_loopback
from streams.security.secret_files import read_secret

__all__ = [
    "Kafka",
    "Mechanism",
    "Protocol",
    "Security",
    "hosts",
    "is_loopback",
    "read_secret",
]
