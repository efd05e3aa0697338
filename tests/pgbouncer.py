"""A real PgBouncer, pooling transactions, in front of a test's PostgreSQL."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deploy.supervisor.ports import LOOPBACK, free_port, is_free
from deploy.supervisor.processes import wait_until

START_SECONDS = 30.0
POOL = 2
"""Connections to the server: so few that clients share them."""
CONFIGURATION = """\
[databases]
postgres = host={host} port={server} user=feed

[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool}
server_login_retry = 1
"""


def program() -> str | None:
    """PgBouncer's; Debian keeps it off the path of who is not root."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def in_front_of(server_port: int, binary: str) -> Generator[str]:
    """Inside, it runs; the URL of people's database behind it. Under another user where the tests run as root."""
    port = free_port()
    directory = Path(tempfile.mkdtemp(prefix="feed-pgbouncer-"))
    file = directory / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(host=LOOPBACK, server=server_port, port=port, pool=POOL))
    user = None if os.geteuid() else next(each.pw_name for each in pwd.getpwall() if each.pw_name == "nobody")
    if user is not None:
        shutil.chown(directory, user)
        shutil.chown(file, user)
    process = subprocess.Popen([binary, "-q", str(file)], user=user, cwd=directory, stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: not is_free(port, LOOPBACK), seconds=START_SECONDS), "PgBouncer did not start"
        yield f"postgresql://feed@{LOOPBACK}:{port}/postgres"
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(directory, ignore_errors=True)
