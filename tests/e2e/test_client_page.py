"""The page at / in a real browser: people side by side, a server that dies, what keeps people out, what it counts.

Needs npm for axe-core, which tests/axe/package-lock.json pins. Without npm it is skipped, and in CI that is an error.
"""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.browser import Browser
from tests.e2e.client_page import DESKTOP, AnotherServer, User, anew, axe, faults, users
from tests.e2e.conftest import PASSWORD, Server
from tests.e2e.live_sockets import on_one_store
from tests.e2e.runs import eventually
from tests.unit.tweets.random_texts import random_text
from tweets.parsing.weights import weigh
from tweets.writing.text import MAX_CODE_POINTS, MAX_WEIGHT

pytestmark = [pytest.mark.e2e, on_one_store]

PACKAGE = Path(__file__).parents[1] / "axe"
INSTALL_SECONDS = 240
PHONE = (360, 740)
SECONDS = 30.0
SEED = 36
TEXTS = 1_500
BAR = "button.bar"
HARD = (
    *("", "e\u0301" * 10, "a\r\nb", "\u0f73\u0f75\u0f81", "x" * 280, "x" * 281, "漢" * 140, "漢" * 141, "x" * 4_401),
    *("https://example.org/a_(b)?c=d#e example.com 例.jp http://例.jp/漢", "a.com例.jp/path t.co/x.", "𐐀.com 𐐀a.com"),
    *("xn--a.com xn--p1ai", "ñandú.cl", "@a.com #a.com user@example.com", "a." * 2_000, "a.com " * 60),
    *("https://example.org/" + "x" * 4_060, "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏻" * 140),
    "👨\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 🇩🇪 1\ufe0f\u20e3 ☝🏽 🫱🏻\u200d🫲🏿",
)
ODD = (
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "أنا أكتب من اليمين إلى اليسار https://example.org/" + "x" * 400,
    "one\n" * 60 + "the last",
    "a" + "\u0301\u0316" * 130,
    "<img src=x onerror='window.hit = 1'><b>bold</b> &amp;",
)
EVERY = "{}"
COLOURS = '{runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}}'
ON_A_PHONE = '{runOnly: {type: "rule", values: ["button-name", "color-contrast", "link-name", "target-size"]}}'
Look = tuple[tuple[int, int], bool]
"""How large the page is, and whether it is dark."""
LOOKS = (((DESKTOP, False), EVERY), ((DESKTOP, True), COLOURS), ((PHONE, False), ON_A_PHONE))
MAIN_VIEWS = ("/", "/notifications", "/settings", "/@{name}", "/@{name}/{id}")
VIEWS = (
    *MAIN_VIEWS,
    *(
        "/public",
        "/hashtag/tag",
        "/search",
        "/find",
        "/bookmarks",
        "/blocks",
        "/@{name}/followers",
        "/@{name}/{id}/likes",
    ),
)


@pytest.fixture(scope="module")
def axe_script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core, of an installed npm project."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must look with axe at the page: npm is missing")
        pytest.skip("SKIPPED: the page is not looked at with axe, because npm is missing")
    directory = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, directory)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return axe(directory)


@pytest.fixture(scope="module")
def shared_pair(server: Server, shared_browser: Browser) -> Iterator[Sequence[User]]:
    with users(shared_browser, server.url, 2) as pair:
        yield pair


@pytest.fixture
def pair(shared_pair: Sequence[User], server: Server) -> Iterator[Sequence[User]]:
    """Two people who are not signed in."""
    with anew(shared_pair, server) as two:
        yield two


@pytest.fixture
def one(pair: Sequence[User]) -> User:
    return pair[0]


def test_a_tweet_is_found_by_its_words(one: User) -> None:
    one.sign_up(f"seeker_{SEED}")
    one.write("Überall Kraniche").click("Post", "main form").sees("Überall Kraniche", "article.tweet")

    def is_found() -> bool:
        one.go("/search").write("KRANICHE uberall", "main [name=q]").click("Search", "main form")
        return eventually(lambda: one.count("Überall Kraniche") == 1, 2.0)

    assert eventually(is_found, SECONDS)
    assert one.tab.run("location.search") == "?q=KRANICHE+uberall"


def test_two_people_side_by_side(pair: Sequence[User], server: Server) -> None:
    ada, bob = pair
    ada.sign_up(f"ada_{SEED}")
    bob.sign_up(f"bob_{SEED}")
    bob.click("Find people", "nav").write(ada.username, "main [name=names]")
    bob.click("Find", "main form").click("Follow @")
    bob.sees("Following", "main .follow").click("Home", "nav").sees("Nothing here yet")
    ada.write("Hello from the page").click("Post", "main form").sees("Hello from the page", "article.tweet")

    bob.sees("1 new tweet", BAR)
    assert bob.tab.run("document.title").startswith("(1)")
    assert bob.count("Hello from the page") == 0
    bob.click("1 new tweet").sees("Hello from the page", "article.tweet")
    assert bob.tab.run("document.activeElement.closest('article') !== null")
    bob.click("Like", bob.card("Hello from the page")).click("Unlike, 1 like", bob.card("Hello from the page"))
    bob.click("Like", bob.card("Hello from the page"))
    bob.click("Reply", bob.card("Hello from the page"))
    bob.write("And hello to you", "dialog textarea").click("Reply", "dialog form").sees("Posted", ".notices")

    ada.click("Written", ada.card("Hello from the page"))
    assert ada.place().startswith(f"/@{ada.username}/")
    ada.sees("And hello to you", "article.tweet").sees("1 like", ".counts")
    ada.tab.run("history.back()")
    ada.sees("Home", "h1")
    assert ada.place() == "/"

    ada.click("More about", ada.card("Hello from the page")).click("Delete", ".menu-list")
    ada.click("Delete", "dialog form")
    ada.sees_no_more("Hello from the page")
    bob.sees_no_more("Hello from the page")


def test_a_hashtag_leads_to_what_has_it_and_shows_what_comes(one: User, server: Server) -> None:
    person, other = server.sign_up(), server.sign_up()
    person.post("First, with #Größe")
    other.post("Second, with #GRÖSSE")
    one.become(person).open(f"/@{person.username}").click("#Größe", one.card("First"))
    assert one.tab.run("decodeURI(location.pathname)") == "/hashtag/Größe"
    one.sees("#Größe", "h1").sees("Second", "article.tweet").sees("First", "article.tweet")
    other.post("Third, with #größe")
    one.sees("1 new tweet", BAR).click("1 new tweet").sees("Third", "article.tweet")


def test_nothing_is_lost_when_the_server_dies(pair: Sequence[User], server: Server) -> None:
    """Killed while one writes and another listens: what was sent is posted once, what was missed comes."""
    author, reader = server.sign_up(), server.sign_up()
    author.post("of old")
    reader.follow(author)
    ada, bob = pair
    with AnotherServer(server) as another:
        ada.url = bob.url = another.url
        ada.become(author)
        # An empty home is loaded anew once its stream has begun, and would show what comes meanwhile without a bar.
        bob.become(reader).sees("of old", "article.tweet")
        author.post("before")
        bob.sees("1 new tweet", BAR)
        another.kill()
        bob.sees("trying again", ".light")
        ada.write("sent into the dark").click("Post", "main form").sees("Posting…", "main form")
        author.post("meanwhile")
        another.start()
        ada.post_until_posted("sent into the dark")
        bob.until_live().sees("3 new tweets", BAR).click("3 new tweets")
        for text in ("before", "meanwhile", "sent into the dark"):
            assert bob.count(text) == 1
        assert [each["text"] for each in reader.home()["data"]].count("sent into the dark") == 1
    for user in pair:
        user.tab.open("about:blank")
        refused = [said for said in user.tab.complaints if "ERR_CONNECTION" in said or "ERR_EMPTY" in said]
        user.tab.complaints = [said for said in user.tab.complaints if said not in refused]
        user.tab.asked.clear()


def test_an_answer_that_is_lost_posts_nothing_twice(one: User, server: Server) -> None:
    person = server.sign_up()
    one.become(person)
    one.tab.lose_answer("*/api/v1/tweets")
    one.write("said once").click("Post", "main form").sees("said once", "article.tweet")
    one.forgive("ERR_CONNECTION_RESET")
    assert [each["text"] for each in person.home()["data"]] == ["said once"]


def test_what_is_done_about_tweets_and_people_is_done(one: User, server: Server) -> None:
    person, other = server.sign_up(), server.sign_up()
    tweet_id = other.post("a tweet of another's")
    other.post("which is theirs", quote_of=tweet_id)
    one.become(person)
    one.open("/settings")
    one.tab.type("main [name=display_name]", "A new name")
    one.click("Save", "main form").sees("A new name", ".account")
    one.go(f"/@{other.username}").click("Bookmark", one.card("which is theirs"))
    one.click("Retweet", one.card("which is theirs")).click("Quote", one.card("which is theirs"))
    one.write("and mine", "dialog textarea").click("Quote", "dialog form").sees("Posted", ".notices")
    one.go("/bookmarks").sees("which is theirs", "article.tweet")
    one.go("/").sees("You retweeted", "article.tweet").sees("which is theirs", ".quoted").sees(
        "and mine", "article.tweet"
    )
    one.go(f"/@{other.username}").click("More about @").click("Report", ".menu-list").click("Report", "dialog form")
    one.sees("Thank you", ".notices").click("More about @").click("Mute", ".menu-list").sees("Unmute", ".profile")
    one.click("Unmute", ".profile").click("More about @").click("Block", ".menu-list").click("Block", "dialog form")
    one.sees("Unblock", ".profile").go("/").sees_no_more("which is theirs")
    one.go("/blocks").click("Unblock", "article.person").sees("You block nobody")
    assert other.client.get(f"/users/{person.username}").json()["data"]["display_name"] == "A new name"


def test_what_one_is_notified_of_is_counted_at_the_bell_and_read_when_it_is_seen(one: User, server: Server) -> None:
    person, fan = server.sign_up(), server.sign_up()
    tweet_id = person.post("to be liked")
    one.become(person)
    fan.client.put(f"/tweets/{tweet_id}/like")
    one.sees("1", ".badge").click("Notifications 1 new", "nav").sees("liked your tweet", "article.notification")
    one.sees("to be liked", "article.notification").sees_no_more("1", ".badge")
    fan.post("an answer", reply_to=tweet_id)
    one.sees("replied to you", "article.notification").sees_no_more("1", ".badge")
    fan.follow(person)
    one.sees("followed you", "article.notification").go("/")
    assert server.sign_up().client.put(f"/tweets/{tweet_id}/like").status_code == 200
    one.sees("1", ".badge").go("/notifications").sees("and 1 other liked your tweet", "article.notification")
    assert one.count("liked your tweet", "article.notification") == 1
    assert eventually(lambda: person.client.get("/me/notifications/unread").json()["data"]["count"] == 0, SECONDS)


def test_going_back_shows_the_same_lines(one: User, server: Server) -> None:
    author = server.sign_up()
    for number in range(30):
        author.post(f"line {number}.")
    one.become(author)
    one.sees("line 29.", "article.tweet").sees("line 10.", "article.tweet")
    one.tab.run("scrollTo(0, document.body.scrollHeight)")
    one.sees("line 0.", "article.tweet")
    one.tab.run("document.querySelectorAll('article.tweet')[20].scrollIntoView()")
    before = one.tab.run("scrollY")
    one.click("Written", one.card("line 9."))
    one.tab.until("document.querySelector('article.large')")
    assert one.tab.run("scrollY") < before
    one.tab.run("history.back()")
    one.sees("line 29.", "article.tweet").sees("line 0.", "article.tweet")
    assert one.tab.run("scrollY") == before
    assert one.tab.run("document.activeElement.closest('article').innerText.includes('line 9.')")


@pytest.mark.parametrize(("look", "rules"), LOOKS, ids=("light", "dark", "phone"))
def test_nobody_is_kept_out(one: User, server: Server, axe_script: str, look: Look, rules: str) -> None:
    """With all of axe's rules as it stands first; those about colours in the dark, about sizes and names on a phone."""
    person = server.sign_up()
    tweet_id = person.post("A tweet, with @somebody, a #tag and https://example.org")
    person.post("Quoted", quote_of=tweet_id)
    person.client.put(f"/tweets/{tweet_id}/bookmark")
    other = server.sign_up()
    other.post("An answer", reply_to=tweet_id)
    other.client.put(f"/tweets/{tweet_id}/like")
    (width, height), dark = look
    one.tab.look(width, height, dark=dark)
    for place in ("/", "/sign-in", "/sign-up"):
        assert faults(one.open(place), axe_script, rules) == [], place
    one.become(person)
    for view in VIEWS if rules == EVERY else MAIN_VIEWS:
        place = view.format(name=person.username, id=tweet_id)
        assert faults(one.go(place), axe_script, rules) == [], place
    one.click("Write").sees("Write", "dialog")
    assert faults(one, axe_script, rules) == []


def test_no_text_breaks_the_page(one: User, server: Server) -> None:
    person = server.sign_up()
    for text in ODD:
        person.post(text)
    person.client.patch("/me", json={"display_name": "W" * 50, "bio": "مرحبا" * 30})
    one.tab.look(*PHONE)
    one.become(person)
    for place in ("/", f"/@{person.username}"):
        one.open(place).sees("<img src=x onerror='window.hit = 1'>", "article.tweet")
        assert one.tab.run("document.documentElement.scrollWidth") <= PHONE[0]
        heights = one.tab.run("[...document.querySelectorAll('article.tweet')].map((each) => each.offsetHeight)")
        assert max(heights) < PHONE[1]
    assert one.tab.run("window.hit") is None
    assert one.tab.run("document.querySelectorAll('article.tweet img').length") == 0


def test_it_counts_as_the_server_does(one: User) -> None:
    one.open("/")
    made = random.Random(SEED)
    texts = [*HARD, *(random_text(made) for _ in range(TEXTS))]
    counted = one.tab.run(
        f"""import("/static/client/weights/weights.js").then(({{weightLeft}}) =>
            {json.dumps(texts)}.map((text) => weightLeft(text)).map((left) => left === -Infinity ? null : left))"""
    )
    for text, left in zip(texts, counted, strict=True):
        weight = weigh(text, MAX_WEIGHT) if len(text) <= MAX_CODE_POINTS else None
        if weight is None:
            assert left is None or left < 0, ascii(text)
        else:
            assert left == MAX_WEIGHT - weight, ascii(text)


def test_the_counter_warns_and_then_refuses(one: User, server: Server) -> None:
    one.become(server.sign_up())
    one.write("x" * 270).sees("10", ".counter")
    one.write("x" * 281).sees("-1", ".counter")
    assert one.tab.run("document.querySelector('main .composer .primary').disabled")
    one.write(" \u200b\n")
    assert one.tab.run("document.querySelector('main .composer .primary').disabled")


def test_errors_are_said_in_words(one: User, server: Server) -> None:
    taken = server.sign_up().username
    one.open("/sign-up")
    for password, words in (("short", "too short"), (PASSWORD, "is taken")):
        for name, value in (("username", taken), ("email", f"{taken}@example.com"), ("password", password)):
            one.tab.type(f"main [name={name}]", value)
        one.tab.run("document.querySelector('main form').requestSubmit()")
        one.sees(words, ".fault")
        assert one.tab.run("document.activeElement.getAttribute('aria-invalid')") == "true"
    one.tab.complaints = [said for said in one.tab.complaints if "422" not in said]
    said = one.tab.run(
        """import("/static/client/net/problems.js").then(({inWords, Problem, Unreachable}) => [
            inWords(new Problem(429, {}, 12)), inWords(new Problem(503, {}, 1)), inWords(new Unreachable())])"""
    )
    assert said == [
        "That was a lot at once. Try again in 12 seconds.",
        "The server is not at its best. Try again in a second.",
        "The server does not answer. Try again in a moment.",
    ]


def test_a_session_lasts_as_long_as_was_asked_for(pair: Sequence[User], server: Server) -> None:
    """And no longer: signing out everywhere ends the other tab's, which is told."""
    person = server.sign_up()
    ada, bob = pair
    bob.become(person)
    ada.open("/sign-in")
    ada.tab.type("main [name=username]", person.username)
    ada.tab.type("main [name=password]", PASSWORD)
    ada.tab.run("(document.querySelector('[name=stay]').click(), document.querySelector('main form').requestSubmit())")
    ada.sees("Home", "h1")
    assert ada.tab.run("[localStorage.getItem('session') !== null, sessionStorage.length]") == [True, 0]
    assert bob.tab.run("sessionStorage.getItem('session') !== null")
    ada.open("/settings").click("Sign out everywhere", "main").click("Sign out everywhere", "dialog form")
    ada.sees("Welcome", "h1")
    bob.sees("Sign in", "h1").sees("You have been signed out", ".notices")
    for user in pair:
        assert user.tab.run("[localStorage.length, sessionStorage.length]") == [0, 0]
        assert not [url for url in user.tab.asked if person.token in url or "token=" in url]
        user.tab.complaints = [said for said in user.tab.complaints if "401" not in said]


def test_offline_is_said_and_over_when_it_is_over(one: User, server: Server) -> None:
    """Of an empty timeline there is no place to go on from: it is loaded anew."""
    author, reader = server.sign_up(), server.sign_up()
    reader.follow(author)
    one.become(reader)
    one.tab.cut_off(offline=True)
    one.sees("You are offline", ".light")
    author.post("while you were away")
    assert eventually(lambda: bool(reader.home()["data"]), SECONDS)
    one.tab.cut_off(offline=False)
    one.until_live().sees("while you were away", "article.tweet")
    one.tab.complaints = [said for said in one.tab.complaints if "ERR_INTERNET_DISCONNECTED" not in said]


def test_a_keyboard_is_enough(one: User, server: Server) -> None:
    person = server.sign_up()
    person.post("to be opened")
    one.become(person)
    one.open("/public").sees("to be opened", "article.tweet")
    one.tab.press("Tab")
    assert one.tab.run("document.activeElement.innerText") == "Skip to content"
    one.tab.press("Enter")
    assert one.tab.run("document.activeElement.innerText") == "Public"
    one.tab.press("Tab")
    one.tab.press("Tab")
    one.tab.press("Enter")
    one.tab.until("document.querySelector('article.large')")
    assert one.tab.run("document.activeElement.tagName") == "H1"


def test_light_or_dark_is_a_choice(one: User) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    one.tab.look(*DESKTOP, dark=True)
    dark = one.open("/").tab.run(ground)
    one.click("Look: as the system").click("Look: light")
    assert one.tab.run(ground) == dark
    one.click("Look: dark").click("Look: as the system")
    light = one.open("/").tab.run(ground)
    assert light != dark
