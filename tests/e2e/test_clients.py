"""The clients of docs/clients.md, as they stand there: compiled, and run against the product through a bad gateway.

And what the OpenAPI document and the schema say of types is what a compiler holds a client to; the AsyncAPI document is
one by AsyncAPI's own schema. TypeScript and that schema need npm, and the packages that
tests/typescript/package-lock.json pins. Without npm what needs them is skipped, and in CI that is an error.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from jsonschema_rs import Draft7Validator

from tests.documented import live_document
from tests.e2e.conftest import Server
from tests.e2e.gateway import LOST, REFUSED, RETRY_AFTER_SECONDS, Gateway, gateway
from tests.e2e.live_sockets import on_one_store
from tests.e2e.runs import ROOT

pytestmark = pytest.mark.e2e

PACKAGE = ROOT / "tests" / "typescript"
COMPILERS = ("typescript", "typescript-7")
"""The one that openapi-typescript 7 itself is made with, and the newest."""
OPTIONS = ("--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
INSTALL_SECONDS = 240
RUN_SECONDS = 120
FILE = re.compile(r"```(?:js|ts|graphql|python)\n(?://|#) (\S+)\n(.*?)```", re.DOTALL)
PRINTED = re.compile(r"```text\n(.*?)```", re.DOTALL)
SITE = "http://127.0.0.1:8000"
CLIENT = """
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./api.js";
import { graphqlClient } from "./graphql.js";
import { HomeDocument, PostDocument } from "./operations.js";

type Tweet = components["schemas"]["Tweet"];
type Problem = components["schemas"]["Problem"];
type Posted = operations["create_tweet"]["responses"][201]["content"]["application/json"];
type Refused = operations["create_tweet"]["responses"][422]["content"]["application/problem+json"];
type Home = paths["/api/v1/feed/home"]["get"]["responses"][200]["content"]["application/json"];

export function newest(home: Home): string | null {
  const tweet: Tweet | undefined = home.data[0];
  return tweet ? tweet.quote_of?.author.username ?? tweet.retweet_of?.id ?? tweet.id : home.meta.next_cursor;
}
export function posted(answer: Posted): Tweet {
  return answer.data;
}
export function problem(answer: Refused): Problem {
  return answer;
}
export function inside(tweet: Tweet): Tweet[] {
  return [tweet.quote_of, tweet.retweet_of, tweet.retweet_of?.quote_of].filter((each) => each != null);
}
export async function shownAtHome(token: string): Promise<Tweet[]> {
  const client = createClient<paths>({ baseUrl: "/", headers: { Authorization: `Bearer ${token}` } });
  const { data, error } = await client.GET("/api/v1/feed/home", { params: { query: { limit: 2 } } });
  if (error) throw new Error(error.title);
  const shown: Tweet[] = data.data.flatMap((tweet) => (tweet.quote_of ? [tweet, tweet.quote_of] : [tweet]));
  const quoted = await client.POST("/api/v1/tweets", { body: { text: "hello", quote_of: shown[0]?.id ?? null } });
  const posted: Tweet | undefined = quoted.data?.data;
  const liked = await client.PUT("/api/v1/tweets/{tweet_id}/like", { params: { path: { tweet_id: "1" } } });
  const original: Tweet | null | undefined = liked.data?.data.retweet_of;
  return [...shown, ...(posted?.quote_of ? [posted.quote_of] : []), ...(original ? [original] : [])];
}
// @ts-expect-error A field that there is none of.
export const unknown: components["schemas"]["TweetInput"] = { text: "hello", replyTo: "1" };
// @ts-expect-error An id is a string, never a number.
export const wrong: Tweet["id"] = 7265412345678901248;
// @ts-expect-error A field that an input must have.
export const misspelt = graphqlClient("").mutation(PostDocument, { input: { replyTo: "1" } });
// @ts-expect-error A variable that is missing.
export const sizeless = graphqlClient("").query(HomeDocument, {});
export async function shownThere(): Promise<string | null> {
  const page = (await graphqlClient("").query(HomeDocument, { first: 2 })).data?.homeTimeline;
  // @ts-expect-error A field that was not asked for.
  const likes: unknown = page?.edges[0]?.node.counts;
  return likes === undefined ? null : (page?.pageInfo.endCursor ?? null);
}
"""


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "clients.md").read_text()


@pytest.fixture
def site(server: Server) -> Iterator[Gateway]:
    with gateway(server.url) as made:
        yield made


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what npm has installed."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must compile the TypeScript client: npm is missing")
        pytest.skip("SKIPPED: the TypeScript client is not compiled, because npm is missing")
    directory = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, directory)
    run(directory, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", seconds=INSTALL_SECONDS)
    return directory


@pytest.fixture
def project(tmp_path: Path, page: str, site: Gateway) -> Path:
    """A directory with the page's files, for the site; the schema and the document beside them."""
    for name, text in FILE.findall(page):
        (tmp_path / name).write_text(text.replace(SITE, site.url))
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    (tmp_path / "openapi.json").write_bytes(httpx.get(f"{site.url}/api/v1/openapi.json").content)
    return tmp_path


def run(directory: Path, *command: str, seconds: int = RUN_SECONDS) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def was_patient(site: Gateway) -> None:
    """It came again no sooner than it was told to, and with the same key; writes have one."""
    for method, path in (REFUSED, *LOST):
        first, second = site.tries(method, path)[:2]
        assert second.at - first.at >= RETRY_AFTER_SECONDS, (method, path)
        assert second.key == first.key, (method, path)
        assert (first.key is None) == (method == "GET"), (method, path)


@on_one_store
def test_the_typescript_client(packages: Path, project: Path, page: str, site: Gateway) -> None:
    shutil.copy(packages / "package.json", project)
    (project / "node_modules").symlink_to(packages / "node_modules")
    (project / "client.ts").write_text(CLIENT)
    run(project, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "api.ts")
    run(project, "node", "codegen.mjs")
    for compiler in COMPILERS:
        run(project, "node", f"node_modules/{compiler}/bin/tsc", *OPTIONS, "client.ts", "walk.ts")
    assert run(project, "node", "walk.js") == PRINTED.findall(page)[0]
    was_patient(site)


@on_one_store
def test_the_python_client(project: Path, page: str, site: Gateway) -> None:
    assert run(project, sys.executable, "walk.py") == PRINTED.findall(page)[1]
    was_patient(site)


def test_the_asyncapi_document_is_one_by_asyncapi_s_own_schema(packages: Path) -> None:
    version = live_document()["asyncapi"]
    schema = packages / "node_modules" / "@asyncapi" / "specs" / "schemas" / f"{version}.json"
    validator = Draft7Validator(json.loads(schema.read_text()))
    assert [error.message for error in validator.iter_errors(live_document())] == []


def test_the_lock_names_no_download_host() -> None:
    assert "resolved" not in (PACKAGE / "package-lock.json").read_text()
