"""A TypeScript client can be typed by the OpenAPI document: what openapi-typescript makes of it compiles.

Needs npm, and the packages that tests/typescript/package-lock.json pins. Without npm it is
skipped, and in CI that is an error.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.test import Client

PACKAGE = Path(__file__).parents[2] / "typescript"
COMPILERS = ("typescript", "typescript-7")
"""The one that openapi-typescript 7 itself is made with, and the newest."""
OPTIONS = ("--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
INSTALL_SECONDS = 240
RUN_SECONDS = 120
CLIENT = """
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./api";

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
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed npm project."""
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must compile the TypeScript types: npm is missing")
        pytest.skip("SKIPPED: the TypeScript types are not compiled, because npm is missing")
    directory = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, directory)
    run(directory, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", seconds=INSTALL_SECONDS)
    return directory


def run(directory: Path, *command: str, seconds: int = RUN_SECONDS) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("database")
def test_the_types_of_the_document_compile(project: Path) -> None:
    (project / "openapi.json").write_bytes(Client().get("/api/v1/openapi.json").content)
    (project / "client.ts").write_text(CLIENT)
    run(project, "node_modules/.bin/openapi-typescript", "openapi.json", "--output", "api.ts")
    for compiler in COMPILERS:
        run(project, f"node_modules/{compiler}/bin/tsc", *OPTIONS, "client.ts", "api.ts")


def test_the_lock_names_no_download_host() -> None:
    assert "resolved" not in (PACKAGE / "package-lock.json").read_text()
