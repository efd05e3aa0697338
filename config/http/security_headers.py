"""What an answer tells the browser not to do with it, whoever wrote what is shown in it.

A page runs the site's own scripts and styles from files, and nothing that stands in it: text that got in as markup is
dead. No other site may frame it, no form of it may lead elsewhere. What is no page may do nothing at all. `nosniff`,
Referrer-Policy, Cross-Origin-Opener-Policy and HSTS are Django's SecurityMiddleware's. `EveryAnswer`
(config/http/middleware.py) puts all of them on answers.

Constants and no nonce: no answer costs more than a header, and what is a script is told by where it stands.
"""

POLICY = "Content-Security-Policy"
PAGE = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Swagger UI's icons are data: URLs in its style sheet.
        "img-src 'self' data:",
        "font-src 'self'",
        # Sockets of the same origin as well.
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
SCROLL_LOCK = "sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc="
"""Of the one style sheet that a script of GraphiQL's makes: it keeps the page from scrolling below a dialog or menu."""
GRAPHIQL_PAGE = PAGE.replace("style-src 'self'", f"style-src 'self' '{SCROLL_LOCK}'")
"""Of /graphql alone. That text passes, and no other: neither a style element that differs, nor any style attribute."""
DEBUG_PAGE = PAGE.replace("-src 'self';", "-src 'self' 'unsafe-inline';")
"""Django's own pages about an error have their scripts and styles in them; DEBUG is refused in production."""
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"
"""Of JSON, pictures and files: shown by themselves they load, run and frame nothing."""
FEATURES = ", ".join(
    f"{name}=()"
    for name in ("camera", "display-capture", "geolocation", "hid", "microphone", "midi", "payment", "serial", "usb")
)
"""No page here uses any of these."""
PAGE_FIELDS = {POLICY: PAGE, "X-Frame-Options": "DENY", "Permissions-Policy": FEATURES}
