"""Django's settings, all derived from environment.py."""

import gc
from datetime import timedelta
from pathlib import Path

from config.api_description import API_DESCRIPTION
from config.email_urls import mail_server
from config.environment_checks import environment_or_end
from config.observability.logs import logging_config
from config.sql_databases import sql_database
from storage.ports.places import SEARCH_OFF
from storage.tracing import log_fields
from tweets.search.addresses import EMBEDDED

ENV = environment_or_end()

# What a process imports stays; looking through it for garbage is an eighth of its start. config/apps.py ends this.
gc.disable()

DEBUG = ENV.debug
PRODUCTION = ENV.production
SECRET_KEY = ENV.secret_key
SECRET_KEY_FALLBACKS = ENV.secret_key_fallbacks
ALLOWED_HOSTS = ENV.allowed_hosts
ALLOWED_ORIGINS = ENV.allowed_origins
DATA_DIR = ENV.data_dir

STORE = ENV.store
SEARCH_URL = ENV.search_url or (SEARCH_OFF if ENV.production else EMBEDDED)
TIMELINE_REDIS_URL = ENV.timeline_redis_url
BROKER_REDIS_URL = ENV.broker_redis_url
FANOUT_BROKER_URLS = ENV.fanout_broker_urls
REDIS_TIMEOUT_SECONDS = ENV.redis_timeout_seconds
CASSANDRA_HOSTS = ENV.cassandra_hosts
CASSANDRA_PORT = ENV.cassandra_port
CASSANDRA_KEYSPACE = ENV.cassandra_keyspace
CASSANDRA_REPLICATION = ENV.cassandra_replication
CASSANDRA_CONSISTENCY = ENV.cassandra_consistency
CASSANDRA_TIMEOUT_SECONDS = ENV.cassandra_timeout_seconds
CASSANDRA_USER = ENV.cassandra_user
CASSANDRA_PASSWORD = ENV.cassandra_password
CASSANDRA_TLS_CA = ENV.cassandra_tls_ca
RATE_LIMITS = ENV.rate_limits
TRUSTED_PROXIES = ENV.trusted_proxies
MAX_SOCKETS = ENV.max_sockets
MAX_SOCKETS_BY_ADDRESS = ENV.max_sockets_by_address
MAX_UNSIGNED_SOCKETS = ENV.max_unsigned_sockets
MAX_UNSIGNED_BY_ADDRESS = ENV.max_unsigned_by_address
DRAIN_SECONDS = ENV.drain_seconds
TIMELINE_SHARDS = ENV.timeline_shards
TIMELINE_CAP = ENV.timeline_cap
ACTIVE_DAYS = ENV.active_days
PUSH_MAX_FOLLOWERS = ENV.push_max_followers
MAX_FOLLOWING = ENV.max_following
SWEEP_AFTER_SECONDS = ENV.sweep_after_seconds
METRICS_TOKEN = ENV.metrics_token
STAFF_TWO_STEP = ENV.production if ENV.staff_two_step is None else ENV.staff_two_step
GRAPHQL_INTROSPECTION = ENV.graphql_introspection
GRAPHIQL = ENV.graphiql
GRAPHQL_DOCUMENTS = ENV.graphql_documents
GRAPHQL_DOCUMENTS_ONLY = ENV.graphql_documents_only
GRAPHQL_REGISTERING = ENV.graphql_registering
METRICS_PORT = ENV.metrics_port
PROMETHEUS_MULTIPROC_DIR = ENV.prometheus_multiproc_dir
TRACES_ENDPOINT = ENV.traces_endpoint
TRACES_HEADERS = ENV.traces_headers
TRACES_SERVICE_NAME = ENV.traces_service_name
TRACES_RATIO = ENV.traces_ratio

INSTALLED_APPS = [
    "config.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "graphene_django",
    "storage",
    "accounts",
    "fanout",
    "tweets",
    "feed",
    "config.apps.ConfigConfig",
]
MIDDLEWARE = [
    "config.observability.requests.RequestIdMiddleware",
    "config.http.middleware.EveryAnswer",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.http.middleware.BoundsAndFields",
    "config.http.middleware.AdminSessions",
    "config.http.middleware.AdminCsrf",
    "config.http.middleware.AdminAuthentication",
    "config.http.admin_limits.AdminLimits",
    "config.http.middleware.AdminMessages",
]
if TRACES_ENDPOINT:
    MIDDLEWARE.insert(0, "config.observability.tracing.TraceMiddleware")
SILENCED_SYSTEM_CHECKS = [
    # Usernames are unique in any case, by an index that this check does not look at.
    "auth.E003",
    "auth.W004",
    # These look for Django's middleware by name: EveryAnswer and AdminCsrf are subclasses, and refuse frames.
    "security.W001",
    "security.W002",
    "security.W003",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": sql_database(ENV.database_url)}
if ENV.replica_database_url:
    DATABASES["replica"] = sql_database(ENV.replica_database_url)
if STORE == "embedded":
    DATABASES["store"] = sql_database(f"sqlite://{DATA_DIR}/store.sqlite3")
DATABASE_ROUTERS = ["storage.embedded.router.StoreRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "accounts.people.rules.PasswordRule",
        "OPTIONS": {
            "validators": [
                {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
                {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
                {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
                {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
            ]
        },
    },
    {"NAME": "accounts.sessions.ending.EndsSessions"},
]
"""What a new password may be, and what follows from one, whichever door or command sets it."""
PASSWORD_HASHERS = [
    "accounts.people.passwords.OwaspArgon2",
    "accounts.people.passwords.BroughtAlong",
]
"""New passwords by the first; those brought along from elsewhere are rehashed at sign-in."""
AUTHENTICATION_BACKENDS = ["accounts.doors.staff.StaffSignIn"]
"""The admin's door: counted as signing in over the API is."""
OTP_TOTP_ISSUER = "Feed"
"""What an authenticator calls this site."""
PASSWORD_RESET_TIMEOUT = 3600
"""Seconds for which what stands in a letter is good (accounts/people/resets.py)."""
PASSWORD_RESET_URL = ENV.password_reset_url
EMAIL_CONFIRMATION_URL = ENV.email_confirmation_url
MAIL_SERVER = mail_server(ENV.email_url) if ENV.email_url else None
SENDS_LETTERS = MAIL_SERVER is not None or not PRODUCTION
"""Without a server they are printed, which production must not: they let in whoever reads them."""
MAIL_BACKEND = "smtp" if MAIL_SERVER else "console" if SENDS_LETTERS else "dummy"
EMAIL_BACKEND = f"django.core.mail.backends.{MAIL_BACKEND}.EmailBackend"
if MAIL_SERVER:
    EMAIL_HOST, EMAIL_PORT = MAIL_SERVER.host, MAIL_SERVER.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER.user, MAIL_SERVER.password
    EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL_SERVER.tls, MAIL_SERVER.starttls
EMAIL_TIMEOUT = 10
"""Seconds that an answer of the server may take: a worker waits for it (accounts/people/letters.py)."""
DEFAULT_FROM_EMAIL = ENV.email_from or "feed@localhost"
REST_KNOX = {"TOKEN_TTL": timedelta(days=ENV.token_days), "AUTO_REFRESH": False}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.sessions.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.sessions.authentication.RequestLimit"],
    "DEFAULT_RENDERER_CLASSES": ["storage.web.rest.MsgspecRenderer"],
    "DEFAULT_PARSER_CLASSES": ["storage.web.rest.MsgspecParser"],
    "DEFAULT_SCHEMA_CLASS": "config.http.openapi.ProblemSchema",
    "EXCEPTION_HANDLER": "config.http.problems.exception_handler",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "storage.web.rest.JSONOnly",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Feed",
    "VERSION": "1",
    "DESCRIPTION": API_DESCRIPTION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "EXTERNAL_DOCS": {"url": "/api/docs/live/", "description": "The live feed: its frames and streams"},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.http.openapi.close_inputs",
        "config.http.openapi.link_operations",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
CORS_ALLOWED_ORIGINS = [origin for origin in ALLOWED_ORIGINS if origin != "*"]
CORS_ALLOW_ALL_ORIGINS = "*" in ALLOWED_ORIGINS
CORS_URLS_REGEX = r"^/(api/|graphql$)"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "traceparent",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "X-Request-ID",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Location",
    "Link",
    "ETag",
    "Idempotency-Replayed",
]
"""A token in a header is all that proves anyone, so credentials (cookies) are never allowed."""
MAX_BODY_BYTES = 64 * 1024
"""A tweet, a profile and a GraphQL document all fit; more is 413."""

CELERY_BROKER_URL = BROKER_REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
"""A worker never gives the broker up; Celery's default ends it after 100 tries, some 50 minutes."""
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "visibility_timeout": 60,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    "queue_order_strategy": "priority",
}
"""A task of a killed worker runs again after a minute; the outbox covers what even that loses. A worker
takes its queues in the order in which it was given them, so one of each order keeps all of them going."""
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "fanout.sweep", "schedule": 2.0, "options": {"expires": 2}},
    "discard": {"task": "fanout.discard", "schedule": 30.0, "options": {"expires": 30}},
    "index_tweets": {"task": "feed.index_tweets", "schedule": 1.0, "options": {"expires": 1}},
    "sample_figures": {"task": "feed.sample_figures", "schedule": 10.0, "options": {"expires": 10}},
    "forget_changes": {"task": "feed.forget_changes", "schedule": 3600.0, "options": {"expires": 3600}},
    "end_suspensions": {"task": "feed.end_suspensions", "schedule": 60.0, "options": {"expires": 60}},
    "erase_leavers": {"task": "feed.erase_leavers", "schedule": 5.0, "options": {"expires": 5}},
    "send_letters": {"task": "feed.send_letters", "schedule": 5.0, "options": {"expires": 5}},
    "search_strays": {"task": "feed.search_strays", "schedule": 60.0, "options": {"expires": 60}},
}

GRAPHENE = {"SCHEMA": "config.graphql.schema.schema"}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = ENV.static_root or None
WHITENOISE_USE_FINDERS = not STATIC_ROOT
"""Admin's and the API docs' own files are served without a collectstatic step, unless one was made."""
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_ROOT = Path(__file__).parent / "public"
"""What browsers and crawlers ask every site for by name."""

LOGGING = logging_config(ENV.log_format, *([log_fields] if TRACES_ENDPOINT else []))

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
"""The admin's cookies. Lax, so that a link to a report in a letter works; what writes is a POST with a CSRF token."""
SESSION_COOKIE_AGE = 12 * 3600
"""A working day, from signing in: who comes back tomorrow proves who they are again."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
"""For this name alone: whether all others below the domain are HTTPS, too, its owner knows, and the front may say so.
Nothing is redirected to HTTPS here: the front ends TLS, and what reaches us in the clear are probes."""
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
