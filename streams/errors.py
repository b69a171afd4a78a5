"""Every failure an operator can meet, in one tree.

``GradewatchError``
├── ``ConfigurationError``    a file or a setting is wrong: correct it (exit 78)
├── ``TopicMismatchError``    the cluster differs from topics.yaml (exit 78)
├── ``BrokerError``           Kafka is not reachable or refused (exit 69)
│   └── ``EmbeddedBrokerError``   the embedded Kafka cannot start or stop (exit 69)
├── ``RecordsDeletedError``   records to go on from are not in the log any more (exit 65)
├── ``TopicChangedError``     a topic is another one than when the worker started (exit 65)
└── ``NotFoundError``         what was asked for is not there (exit 1)

A record that is bad is not an error: it is refused with a reason (``core.events.Reason``).
"""

from __future__ import annotations


class GradewatchError(Exception):
    """Something an operator must act on.

    Attributes:
        exit_code: What a command exits with: 1 failure, 65 records are gone,
            69 broker unavailable, 78 configuration.
        next_step: What to do about it, one sentence.
    """

    exit_code = 1

    def __init__(self, cause: str, next_step: str = "") -> None:
        """Name the cause, and the next step where one is known."""
        super().__init__(cause)
        self.next_step = next_step

    def __str__(self) -> str:
        """Return the cause, then the next step on a line of its own."""
        cause = super().__str__()
        return f"{cause}\n  next: {self.next_step}" if self.next_step else cause


class ConfigurationError(GradewatchError):
    """A setting, rules.yaml or topics.yaml is wrong.

    Operator: correct the value that the message names; files are named with line numbers.
    """

    exit_code = 78


class TopicMismatchError(GradewatchError):
    """The cluster's topics differ from topics.yaml.

    Operator: look at ``gradewatch topics plan``; then ``gradewatch topics apply``.
    """

    exit_code = 78


class BrokerError(GradewatchError):
    """Kafka cannot be reached, or refused what we asked.

    Operator: check ``KAFKA_BOOTSTRAP_SERVERS``, or ``gradewatch broker status``.
    """

    exit_code = 69


class EmbeddedBrokerError(BrokerError):
    """The embedded Kafka cannot be fetched, started or stopped.

    Operator: the message says which of port, memory, download or disk is in the way.
    """


class RecordsDeletedError(GradewatchError):
    """Records that were never read are gone, or offsets are those of another log.

    Operator: play them again if they can be had; then reset the group's offsets of the partitions
    that the message names.
    """

    exit_code = 65


class TopicChangedError(GradewatchError):
    """A topic was made anew, or set back, under a running worker: offsets mean other records now.

    Operator: find out who did it; then start the workers again.
    """

    exit_code = 65


class NotFoundError(GradewatchError):
    """What was asked for is not there.

    Operator: check the id; a student is unknown before the first event about them.
    """


def place(error: BaseException) -> str:
    """Return what failed and where in the code: all that may be said of a failure of ours.

    Its own words may hold a student's data; so may its chain of causes.

    Example:
        >>> try:
        ...     {}["a student's id"]
        ... except KeyError as error:
        ...     print(place(error))
        KeyError in <module>, line 2
    """
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_qualname}, line {trace.tb_lineno}" if trace else "no code"
    return f"{type(error).__name__} in {where}"
