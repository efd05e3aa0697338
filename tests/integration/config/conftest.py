"""What the tests of requests and of problems share."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from tests.integration.config import raising


@pytest.fixture
def raising_urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=raising.__name__):
        yield


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)
