"""Which address a request is counted under, whatever a client or a proxy writes."""

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from storage.web.client_address import believed_address, client_address

PEER = "192.0.2.1"


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:0:1::5]:443", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::5]", "2001:db8:0:1::/64"),
        ("[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::FFFF:cb00:7109", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fe80::2%any-zone-one-likes", "fe80::/64"),
        ("2001:db8:0:1:ffff::%1", "2001:db8:0:1::/64"),
        ("  203.0.113.9\t", "203.0.113.9"),
    ],
)
def test_one_address_has_one_name(named: str, address: str, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert believed_address(named, PEER) == address
    assert believed_address(f"198.51.100.7, {named}", PEER) == address
    assert believed_address("", named.strip()) == address


@pytest.mark.parametrize(
    "named",
    [
        "",
        " ",
        ",",
        "203.0.113.9,",
        "unknown",
        "_hidden",
        "203.0.113.09",
        "203.0.113.9:port",
        "203.0.113.9:123456",
        "203.0.113",
        "3405803785",
        "0xcb.0x00.0x71.0x09",
        "[203.0.113.9",
        "2001:db8::1]:80",
        "for=203.0.113.9",
        "203.0.113.9 198.51.100.7",
        "٢٠٣.0.113.9",
        "1" * 100_000,
        "%" * 70,
        "203.0.113.9\x00",
    ],
)
def test_what_is_no_address_counts_as_the_proxy(named: str, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert believed_address(named, PEER) == PEER


def test_what_a_client_writes_itself_is_not_believed(settings: Settings) -> None:
    spoofed = ", ".join(f"198.51.100.{last}" for last in range(200))
    settings.TRUSTED_PROXIES = 0
    assert believed_address(spoofed, PEER) == PEER
    settings.TRUSTED_PROXIES = 1
    assert believed_address(f"{spoofed}, 203.0.113.9", PEER) == "203.0.113.9"
    settings.TRUSTED_PROXIES = 2
    assert believed_address(f"{spoofed}, 203.0.113.9, 10.0.0.1", PEER) == "203.0.113.9"


@pytest.mark.parametrize("peer", ["", "unix:", "/run/feed.sock", None])
def test_a_peer_without_an_address_is_unknown(peer: str | None) -> None:
    request = RequestFactory().get("/")
    request.META["REMOTE_ADDR"] = peer
    assert client_address(request) == "unknown"
