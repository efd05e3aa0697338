"""Who speaks to the REST doors of tweets."""

import pytest

from tests.integration.speaking import Api
from tests.people import new_person


@pytest.fixture
def ada() -> Api:
    return Api(new_person("ada"))


@pytest.fixture
def nobody() -> Api:
    return Api()
