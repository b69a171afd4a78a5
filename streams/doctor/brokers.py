"""The brokers: whether they answer, what they are, and whether the way to them is safe."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

from cryptography import x509

from streams.connection import DEADLINE, client, refusals
from streams.doctor.finding import Check, State, fail, failure, warn
from streams.errors import BrokerError
from streams.security import Kafka, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.doctor.finding import Look, Problem
    from streams.doctor.patient import Patient

DAYS: Final = 30
"""A certificate that ends sooner than this is a warning."""

SAFE_TRANSACTIONS: Final = 2
"""``transaction.version`` from which a delayed request leaves no transaction open (KIP-890)."""


def _answer(patient: Patient) -> Look:
    """Look whether every bootstrap server answers, and is of the same cluster."""
    patient.silent = True
    try:
        servers, security = patient.kafka.servers, patient.kafka.security
    except BrokerError as error:
        yield failure(error)
        return ""
    clusters: dict[str, list[str]] = {}
    away: list[Problem] = []
    fenced: set[str] = set()
    for server in servers:
        kafka = Kafka(server, security)
        try:
            with client(kafka) as admin:
                told = admin.describe_cluster()
        except BrokerError as error:
            away.append(failure(error))
            continue
        clusters.setdefault(told["cluster_id"], []).append(server)
        fenced |= {str(each["broker_id"]) for each in told["brokers"] if each.get("is_fenced")}
    patient.silent = not clusters
    # The clients need one that answers; of the others they learn from it.
    yield from (each._replace(state=State.WARN) if clusters else each for each in away)
    if fenced:
        yield warn(f"fenced, so away: brokers {', '.join(sorted(fenced))}", "start them")
    if len(clusters) > 1:
        listed = "; ".join(f"{', '.join(at)}: {one}" for one, at in clusters.items())
        yield fail(f"these are brokers of different clusters: {listed}",
                   "correct KAFKA_BOOTSTRAP_SERVERS")  # fmt: skip
    brokers = len(told["brokers"]) if clusters else 0
    return f"{brokers} brokers, cluster id {', '.join(clusters)}"


def _versions(patient: Patient) -> Look:
    """Look for what these brokers cannot do, and for known faults of theirs."""
    brokers = [each for each in patient.cluster["brokers"] if not each.get("is_fenced")]
    with refusals(patient.kafka):
        admin = patient.admin
        versions = {
            each["broker_id"]: admin.get_broker_version_data(each["broker_id"]).broker_version
            for each in brokers
        }
        features = admin.describe_features()
    finalized = {name: told.get("finalized", (0, 0))[1] for name, told in features.items()}
    transactions = finalized.get("transaction.version", 0)
    for broker, version in versions.items():
        yield from known_faults(f"broker {broker}", version, transactions)
    if len(set(versions.values())) > 1:
        yield warn(f"brokers of different versions: {_listed(versions)}", "finish the upgrade")
    return f"{_listed(versions)}, transaction.version {transactions}"


def known_faults(broker: str, version: tuple[int, ...], transactions: int) -> Iterator[Problem]:
    """Yield what is known to be wrong with a broker.

    Args:
        broker: What to call it.
        version: As far as it shows from outside: major and minor.
        transactions: The cluster's ``transaction.version``.

    Example:
        >>> [problem.state for problem in known_faults("broker 1", (2, 4), 0)]
        [<State.FAIL: 'fail'>]
        >>> [problem.state for problem in known_faults("broker 1", (4, 3), 2)]
        []
    """
    shown = ".".join(map(str, version))
    if version < (2, 5):
        yield fail(
            f"{broker} is Kafka {shown}: no group generation in transactions (KIP-447), "
            "so two workers may both commit",
            "upgrade Kafka to 4.0 or newer, or set GRADEWATCH_GUARANTEE=at_least_once",
        )
    elif transactions < SAFE_TRANSACTIONS:
        yield warn(
            f"transaction.version is {transactions}: a request that is delayed in the network can "
            "leave a transaction open for ever, and hide what stands after it (KIP-890)",
            "kafka-features.sh upgrade --feature transaction.version=2 (Kafka 4.0 or newer)",
        )
    elif version[:2] == (4, 0):
        yield warn(
            f"{broker} is Kafka {shown}; if it is 4.0.0: a transactional id that was used 32,766 "
            "times cannot be used again (KAFKA-19367)",
            "upgrade Kafka to 4.1 or newer",
        )


def _encryption(patient: Patient) -> Look:
    """Look whether grades travel encrypted."""
    kafka = patient.kafka
    protocol = kafka.security.protocol
    if protocol.encrypted:
        return str(protocol)
    beyond = [server for server in _servers(patient) if not is_loopback(_host(server))]
    if beyond:
        yield warn(
            f"grades travel in the clear to {', '.join(beyond)} ({protocol})",
            "set GRADEWATCH_KAFKA_SECURITY_PROTOCOL to SASL_SSL or SSL",
        )
    return f"{protocol}, on this machine only"


def _certificates(patient: Patient) -> Look:
    """Look when the certificates end: every broker's, and our own."""
    security = patient.kafka.security
    context = security.ssl_context()
    if context is None:
        return f"none: {security.protocol}"
    ends: dict[str, float] = {}
    for server in _servers(patient):
        port = int(server.rpartition(":")[2])
        try:
            with (
                socket.create_connection((_host(server), port), DEADLINE) as plain,
                context.wrap_socket(plain, server_hostname=_host(server)) as speaking,
            ):
                told = speaking.getpeercert() or {}
        except (OSError, ssl.SSLError) as error:
            yield fail(f"{server}: no TLS: {error}", "GRADEWATCH_KAFKA_CA_FILE, or its certificate")
            continue
        ends[server] = ssl.cert_time_to_seconds(str(told["notAfter"]))
    if security.cert_file is not None:
        certificate = x509.load_pem_x509_certificate(security.cert_file.read_bytes())
        ends[str(security.cert_file)] = certificate.not_valid_after_utc.timestamp()
    days = {name: (end - patient.now()) / 86_400 for name, end in ends.items()}
    for name, left in days.items():
        if left <= 0:
            yield fail(f"the certificate of {name} ended {-left:.0f} days ago", "renew it")
        elif left < DAYS:
            yield warn(f"the certificate of {name} ends in {left:.0f} days", "renew it")
    return "days left: " + ", ".join(f"{name} {left:.0f}" for name, left in days.items())


def _servers(patient: Patient) -> list[str]:
    """Return ``host:port`` of every bootstrap server and broker."""
    brokers = [f"{each['host']}:{each['port']}" for each in patient.cluster["brokers"]]
    return list(dict.fromkeys([*patient.kafka.servers, *brokers]))


def _host(server: str) -> str:
    return server.rpartition(":")[0].strip("[]")


def _listed(versions: dict[int, tuple[int, ...]]) -> str:
    return ", ".join(
        f"broker {broker} is Kafka {'.'.join(map(str, version))}"
        for broker, version in versions.items()
    )


CHECKS: Final = (
    Check("brokers", _answer),  # the first: without it nothing else can be asked
    Check("versions", _versions),
    Check("encryption", _encryption),
    Check("certificates", _certificates),
)
