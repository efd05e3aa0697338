// Reads texts as a JSON list and writes what twitter-text finds in each, indices in code points, and which characters
// it takes for parts of hashtags. One half of a character stands at a half.
"use strict";
const { readFileSync, writeFileSync } = require("fs");
const twitter = require("twitter-text");
const { parse } = require("twemoji-parser");
const inHashtag = require("twitter-text/dist/regexp/hashtagAlphaNumeric.js");

function places(text) {
  const found = [];
  let place = 0;
  for (const character of text) {
    found.push(place);
    if (character.length === 2) found.push(place + 0.5);
    place += 1;
  }
  return [...found, place];
}

function read(text) {
  const place = places(text);
  const span = ({ indices }) => [place[indices[0]], place[indices[1]]];
  const entities = twitter.extractEntitiesWithIndices(text);
  return {
    mentions: entities.filter((each) => each.screenName).map((each) => [...span(each), each.listSlug]),
    hashtags: entities.filter((each) => each.hashtag).map(span),
    urls: entities.filter((each) => each.url).map(span),
    weight: twitter.parseTweet(text).weightedLength,
    emoji: parse(text.normalize()).map((each) => each.text),
  };
}

function hashtagCharacters() {
  const pattern = new RegExp(`^(?:${inHashtag.source})$`, "i");
  const found = [];
  for (let code = 0; code <= 0x10ffff; code += 1) {
    if ((code < 0xd800 || code > 0xdfff) && pattern.test(String.fromCodePoint(code))) found.push(code);
  }
  return found;
}

const texts = JSON.parse(readFileSync(0, "utf8"));
writeFileSync(1, JSON.stringify({ answers: texts.map(read), hashtagCharacters: hashtagCharacters() }));
