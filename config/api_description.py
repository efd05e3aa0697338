"""What the OpenAPI document says of all of the API, in Markdown."""

API_DESCRIPTION = """\
Identifiers are 64-bit numbers and travel as decimal strings; newer is larger. Times are RFC 3339 in UTC with
milliseconds.

Collections are newest first, and a page is full while there is more. `next_cursor` goes back in time, `prev_cursor`
asks for what is newer. Both stay good for days, whatever became of the tweet that they were taken from, and are the
same in GraphQL (`POST /graphql`) and on the [live feed](/api/docs/live/) (`/ws/feed`). `links`, and the `Link` field,
name the neighbouring pages: as paths, or as URLs with `?links=absolute`.

A tweet, a profile and this document have an `ETag`; asked for with it in `If-None-Match`, they answer 304 without a
body while they are the same. Answers to GET are gzipped for those who accept it.

A body is one JSON object in UTF-8, of at most 64 KB, without `Content-Encoding`. A field that a route does not know is
refused with 422, and so is any field where a route takes none.

A write may carry an `Idempotency-Key`: repeating it acts once and gives the first answer again. Requests are limited,
by person or by address: `RateLimit` says what is left, `RateLimit-Policy` of how many; 429 comes with `Retry-After`.

Errors are RFC 9457 problem documents, whose `type` is a page here that explains it. Every answer carries
`X-Request-ID`: yours, if you sent a sane one.
"""
