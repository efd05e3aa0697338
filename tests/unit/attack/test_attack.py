"""What `make attack` sends and how it judges: a tool that finds nothing proves nothing."""

import zlib
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from deploy.errors import CannotStart
from tests.attack.attack import Attack, tried
from tests.attack.bystanders import Felt
from tests.attack.catalogue import ATTACKS, NAMES, chosen
from tests.attack.production import served
from tests.attack.run import percentile, too_large, too_slow
from tests.attack.settings import Settings
from tests.attack.sign_ins import AdminSignIns, BadTokens, Guesses, SignIns, spellings
from tests.attack.sockets import LARGEST, SilentSockets, bomb
from tests.attack.target import Person, packed
from tests.attack.texts import hostile_documents, hostile_json, hostile_texts
from tests.attack.wire import CONTINUATION, PING, TEXT, Answer, Door, frame

LARGEST_BODY = 64 * 1024
QUIET = Felt(home=[10.0] * 100, delivery=[20.0] * 100)


def of(name: str) -> Attack:
    [attack] = chosen((name,))
    return attack


class TestCatalogue:
    def test_every_attack_says_what_is_bounded_under_a_name_of_its_own(self) -> None:
        assert len({*NAMES}) == len(NAMES) == len(ATTACKS)
        for each in ATTACKS:
            assert each.__doc__ is not None, each
            assert len(each.__doc__.strip().split("\n\n")) == 2, f"{each}: what is sent, and what has to hold"

    def test_all_are_chosen_or_those_that_are_named_each_with_an_address_of_its_own(self) -> None:
        assert [each.name for each in chosen(())] == [*NAMES]
        assert [each.name for each in chosen(("replays", "texts"))] == ["texts", "replays"]
        assert len({each.source for each in chosen(())}) == len(ATTACKS)
        assert of("replays").source == chosen(())[-1].source


class TestSettings:
    def test_defaults_and_choices(self) -> None:
        assert Settings.read({}, NAMES) == Settings()
        env = {"NAMES": "texts,json pings", "SECONDS": "1.5", "SERVERS": "production", "TIMES": "off"}
        read = Settings.read(env, NAMES)
        assert read == Settings(seconds=1.5, names=("texts", "json", "pings"), servers="production", timed=False)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("NAMES", "texts nonsense"), ("SECONDS", "0"), ("SECONDS", "x"), ("SECONDS", "nan"), ("SECONDS", "3600"),
         ("SERVERS", "both"), ("STORE", "memory"), ("TIMES", "yes")],
    )  # fmt: skip
    def test_what_makes_no_sense_is_named(self, name: str, value: str) -> None:
        with pytest.raises(CannotStart, match=name):
            Settings.read({name: value}, NAMES)


class TestWhatIsSent:
    def test_texts_and_documents_are_large_and_not_too_large(self) -> None:
        texts = [packed({"text": text}) for text in hostile_texts()]
        assert all(50_000 < len(body) <= LARGEST_BODY for body in texts)
        assert len({*texts}) == len(texts)
        assert all(len(packed({"query": text})) <= LARGEST_BODY for text in hostile_documents())
        assert all(len(body) <= LARGEST_BODY for body in hostile_json())

    def test_frames_as_rfc_6455_has_them(self) -> None:
        assert frame(b"hi") == b"\x81\x82\0\0\0\0hi"
        assert frame(b"hi", fin=False, packed=True) == b"\x41\x82\0\0\0\0hi"
        assert frame(b"x" * 200, PING)[:4] == b"\x89\xfe\x00\xc8"
        assert frame(b"", TEXT, length=LARGEST)[:10] == b"\x81\xff" + LARGEST.to_bytes(8, "big")
        assert frame(b"x" * 65_536, CONTINUATION, fin=False)[:2] == b"\x00\xff"

    def test_a_bomb_is_small_on_the_way(self) -> None:
        packed_spaces = bomb(2**20)
        assert len(packed_spaces) < 2**20 / 500
        assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed_spaces) == b" " * 2**20

    def test_a_front_names_the_client_unless_the_client_does(self) -> None:
        plain, fronted = Door("127.0.0.1", 80, "127.0.7.1"), Door("127.0.0.1", 80, "127.0.7.1", fronted=True)
        assert b"Forwarded" not in plain.head("GET", "/")
        assert b"\r\nX-Forwarded-For: 127.0.7.1\r\n" in fronted.head("GET", "/")
        assert fronted.head("GET", "/", {"X-Forwarded-For": "1.2.3.4"}).count(b"X-Forwarded-For") == 1

    def test_one_account_has_several_spellings(self) -> None:
        names = {*islice(spellings(Person("ada", "")), 14)}
        assert len(names) == 7
        assert {name.strip().lower() for name in names} == {"ada", "ada@example.org"}

    @pytest.mark.parametrize("service", ["web", "live"])
    def test_production_is_served_by_the_commands_of_the_composed_file_on_loopback(self, service: str) -> None:
        command = served(service, 4321)
        assert command[command.index("--host") + 1] == "127.0.0.1"
        assert command[command.index("--port") + 1] == "4321"
        assert command[1] == "-m" or command[0] == "python"


class TestAnswers:
    def test_an_answer_is_read(self) -> None:
        answer = Answer.parsed(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n\r\n{}")
        assert (answer.outcome, answer.header("retry-after"), answer.body) == ("429", "7", b"{}")

    @pytest.mark.parametrize("raw", [b"", b"nonsense", b"HTTP/1.1 \r\n\r\n"])
    def test_what_is_no_answer(self, raw: bytes) -> None:
        assert Answer.parsed(raw).outcome == "no answer"


class TestJudgement:
    @pytest.mark.parametrize(
        ("values", "percent", "found"),
        [([], 99, 0.0), ([7.0], 50, 7.0), ([3.0, 1.0, 2.0], 50, 2.0), (list(map(float, range(1, 201))), 99, 198.0)],
    )
    def test_percentiles(self, values: list[float], percent: float, found: float) -> None:
        assert percentile(values, percent) == found

    def test_answers_that_are_not_expected_are_faults(self) -> None:
        assert of("texts").faults(Counter({"422": 5, "429": 1})) == []
        assert of("texts").faults(Counter({"422": 5, "500": 2})) == ["answered 500 (2 times)"]

    @pytest.mark.parametrize(
        ("name", "held", "broken"),
        [
            (SignIns.name, {"401": 30, "429": 90, "owner signs in": 1}, {"401": 80, "owner signs in": 1}),
            (SignIns.name, {"401": 20, "503": 90, "owner signs in": 1}, {"401": 30, "429": 9, "owner hears 429": 1}),
            (AdminSignIns.name, {"200": 30, "429": 50}, {"200": 80}),
            (Guesses.name, {"401 from one address": 10, "401": 20}, {"401 from one address": 20}),
            (Guesses.name, {"401": 30, "429": 50}, {"401": 60}),
            (BadTokens.name, {"401": 60, "429": 60}, {"401": 120}),
            ("forwarded", {"404": 300, "429": 60}, {"404": 360}),
            (SilentSockets.name, {"open": 32, "closed 4429": 368}, {"open": 400}),
            (SilentSockets.name, {"closed 4408": 32, "refused 503": 368}, {"closed 4408": 400}),
            ("frames", {"closed 1009": 20}, {"open": 20}),
            ("deflate-bombs", {"closed 1002": 20}, {"open": 20}),
            ("slow-bodies", {"held": 48, "a reader is answered": 1}, {"held": 48, "a reader is not answered": 1}),
        ],
    )
    def test_what_is_over_a_bound_is_a_fault(self, name: str, held: Any, broken: Any) -> None:
        assert of(name).faults(Counter(held)) == []
        assert of(name).faults(Counter(broken)) != []

    def test_refusals_are_no_work(self) -> None:
        assert tried(Counter({"401": 3, "429": 9, "503": 1, "413": 1, "no answer": 2})) == 3

    def test_growth_is_bounded(self) -> None:
        assert too_large(of("frames"), 47) == []
        assert too_large(of("frames"), 320) != []

    def test_others_times_are_bounded_absolutely_or_by_the_quiet_state(self) -> None:
        attack = of("texts")
        assert too_slow(attack, Felt(home=[900.0] * 100, delivery=[1_400.0] * 100), QUIET) == []
        assert len(too_slow(attack, Felt(home=[1_100.0] * 100, delivery=[1_600.0] * 100), QUIET)) == 2
        busy = Felt(home=[400.0] * 100, delivery=[400.0] * 100)
        assert too_slow(attack, Felt(home=[1_900.0] * 100, delivery=[1_900.0] * 100), busy) == []
        assert too_slow(attack, Felt(unanswered=1), QUIET) != []
