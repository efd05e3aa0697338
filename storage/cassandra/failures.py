"""What the driver raises, and what it means: down, answered, late, or the caller's fault (session.py acts by it)."""

from cassandra import DriverException, RequestExecutionException, RequestValidationException, Timeout
from cassandra import OperationTimedOut as ClientTimeout
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.pool import NoConnectionsAvailable
from cassandra.protocol import ErrorMessage, IsBootstrappingErrorMessage, OverloadedErrorMessage
from cassandra.protocol import RequestValidationException as ServerSaysInvalid

from storage.errors import Unavailable

CAS_WRITE_UNKNOWN = 0x1700
"""Protocol v5 error code that the driver has no class for: a conditional write with unknown outcome."""
DOWN = (DriverException, NoHostAvailable, ConnectionException, ConnectionBusy, NoConnectionsAvailable, ErrorMessage)
ANSWERS = (ErrorMessage, RequestExecutionException)
"""Said by a node that is there: refusals, and that too few replicas answered it in time, or are alive."""
CALLERS_FAULT = (RequestValidationException, ServerSaysInvalid)
PASSING = (
    NoHostAvailable,
    ConnectionException,
    ConnectionBusy,
    NoConnectionsAvailable,
    OverloadedErrorMessage,
    IsBootstrappingErrorMessage,
)
"""Usually known at once, and perhaps over in a moment."""


class Undecided(Unavailable):
    """A conditional write timed out: it may or may not have happened. Re-read with `read_serial`."""


def is_silence(error: Exception) -> bool:
    """Says whether nobody has answered at all."""
    if isinstance(error, NoHostAvailable):
        each_hosts = error.errors.values() if isinstance(error.errors, dict) else ()
        return not any(isinstance(each, ANSWERS) for each in each_hosts)
    if isinstance(error, Undecided):
        return not isinstance(error.__cause__, ANSWERS)
    return isinstance(error, ConnectionException | ClientTimeout)


def is_late(error: Exception) -> bool:
    """Says whether a coordinator has answered that others were not in time."""
    return isinstance(error.__cause__ if isinstance(error, Undecided) else error, Timeout)
