"""People in both databases that they may be kept in."""

from collections.abc import Iterator

import pytest

from accounts.letter_rows import AddressLetter, PasswordReset
from tests import postgresql as servers
from tests.integration.accounts.signed_in import SignedIn


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.PostgreSQL]:
    bin_dir = servers.programs()
    if bin_dir is None:
        servers.missing("PostgreSQL")
    with servers.running(bin_dir) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def people_database(request: pytest.FixtureRequest, database: None) -> Iterator[None]:
    if request.param == "sqlite":
        yield
        return
    with servers.people_in(request.getfixturevalue("postgres")):
        yield


@pytest.fixture
def nobody_waits(people_database: None) -> None:
    """For a letter."""
    PasswordReset.objects.all().delete()
    AddressLetter.objects.all().delete()


@pytest.fixture
def ada() -> SignedIn:
    return SignedIn()
