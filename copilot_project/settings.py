"""Django settings, derived from the typed environment in `config.py`."""

import os
from datetime import datetime
from pathlib import Path

import dj_database_url
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy

from copilot_project.command_line import acts_as_executor, acts_as_owner, credentials_of
from copilot_project.config import BASE_DIR, load_configuration
from copilot_project.config import TELEGRAM_API_URL as REAL_TELEGRAM
from copilot_project.embedded.state import (
    APPLICATION,
    CACHE_DATABASE,
    EXECUTOR,
    database_url,
    redis_url,
    state_dir,
    with_database,
)
from copilot_project.logs import logging_settings
from copilot_project.schedule import SCHEDULE
from signals.engine.compiled import ROOT, sources_hash

config = load_configuration()

PRODUCTION = config.copilot_env == "production"
DEBUG = False
# What jobs and trained models name as the code that made them.
CODE_VERSION = f"{config.code_version}+engine.{sources_hash(ROOT)}".lstrip("+")
SECRET_KEY = config.secret_key.get_secret_value()
PUBLIC_URL = config.public_url
ALLOWED_HOSTS = list(config.allowed_hosts)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
STATE_DIR: Path = state_dir()
# When `manage.py up` began: a heartbeat from before that is of no process that runs now.
STARTED_AT = (
    datetime.fromisoformat(os.environ["COPILOT_STARTED_AT"]) if "COPILOT_STARTED_AT" in os.environ else None
)

INSTALLED_APPS = [
    "copilot_project",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "copilot_project.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "copilot_project.apps.LoginConfig",
    "allauth.socialaccount.providers.google",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "pghistory",
    "users",
    "signals.market",
    "signals",
    "notifications",
    "autopilot",
    "research",
]

# Proxies of ours in front, each of which appends to X-Forwarded-For.
TRUSTED_PROXY_COUNT = config.trusted_proxy_count
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "copilot_project.visitor.visitor_address",
    "django_structlog.middlewares.RequestMiddleware",
    "copilot_project.parameters.sane_parameters",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "copilot_project.csp.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "copilot_project.session_limits.limited",
    "copilot_project.audit.attributed",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "copilot_project.second_factor.required",
    "copilot_project.dangerous_acts.guarded",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "copilot_project.urls"
ASGI_APPLICATION = "copilot_project.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Three roles: the application's, the executor's, which may read encrypted API keys, and the owner's for the few
# commands that change tables. Where DATABASE_URL stands alone, its role does all.
OWNER_URL = config.database_owner_url or config.database_url or database_url(STATE_DIR)
# The executor's container is told its own role and no other.
OTHERS_URL = config.database_url or config.executor_database_url
APPLICATION_URL = OTHERS_URL or database_url(STATE_DIR, role=APPLICATION)
IS_OWNER = acts_as_owner()
EXECUTOR_URL = config.executor_database_url or config.database_url or database_url(STATE_DIR, role=EXECUTOR)
OUR_URL = OWNER_URL if IS_OWNER else EXECUTOR_URL if acts_as_executor() else APPLICATION_URL
DATABASE = dj_database_url.parse(OUR_URL, conn_health_checks=True)
APPLICATION_ROLE, APPLICATION_PASSWORD = credentials_of(
    APPLICATION_URL if OWNER_URL != APPLICATION_URL else ""
)
EXECUTOR_ROLE, EXECUTOR_PASSWORD = credentials_of(
    EXECUTOR_URL if EXECUTOR_URL not in (OWNER_URL, APPLICATION_URL) else ""
)
# The pool waits twice as long after each failed connection. Two seconds of that, then the next request tries anew:
# else a database that was away for ten seconds is found again after thirty.
POOL = {"min_size": 1, "max_size": 8, "timeout": 10, "reconnect_timeout": 2}
DATABASE["OPTIONS"] = {**DATABASE.get("OPTIONS", {}), "pool": POOL}
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = config.redis_url or redis_url(STATE_DIR)
# A database apart, or in production a server that evicts and a user that reaches nothing else.
CACHE_URL = config.cache_url or with_database(REDIS_URL, CACHE_DATABASE)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "cache",
        "OPTIONS": {"serializer": "copilot_project.cache.JSONSerializer"},
    }
}

LANGUAGE_CODE = "en"
# Of the bot; the console is in English. Translations: `manage.py translations`.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["copilot_project.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "copilot_project.plotly_files.PlotlyFinder",
]
# Compressing at collectstatic takes minutes; only the production image, which is built once, does it.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = False

# The admin's "View on site": what happened to the deliveries, which the apps below the console cannot know.
ABSOLUTE_URL_OVERRIDES = {
    "market.instrument": lambda instrument: reverse("research:chart", args=[instrument.pk]),
    "signals.signal": lambda signal: reverse("research:signal_timeline", args=[signal.public_id]),
    "users.subscriber": lambda subscriber: reverse(
        "research:subscriber_history", args=[subscriber.public_id]
    ),
}
AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["users.adapters.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
ADMIN_EMAILS = frozenset(email.lower() for email in config.admin_emails)
PASSWORD_LOGIN = bool(config.password_login)
SECOND_FACTOR_REQUIRED = config.second_factor_required
ACCOUNT_ADAPTER = "users.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
# Failed log-ins count by address, and by address and name: by name alone a stranger could lock anybody out.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "change_password": "5/5m/user"}
ACCOUNT_SESSION_REMEMBER = False
# How long a log-in or a second factor opens dangerous acts.
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "users.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Mail plays no part here: staff are made at the terminal or vouched for by Google.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "CoPilot"
MFA_TOTP_TOLERANCE = 1
SOCIALACCOUNT_ADAPTER = "users.adapters.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, object]] = {
    "google": {
        "APPS": [
            {
                "client_id": config.google_client_id,
                "secret": config.google_client_secret.get_secret_value(),
            }
        ]
        if config.google_client_id
        else [],
        "SCOPE": ["openid", "email", "profile"],
        "OAUTH_PKCE_ENABLED": True,
    }
}
if config.google_issuer_url:
    # allauth reads these at import, so a stand-in for Google is named here and not in a test.
    SOCIALACCOUNT_PROVIDERS["google"] |= {
        "ID_TOKEN_ISSUER": config.google_issuer_url,
        "AUTHORIZE_URL": f"{config.google_issuer_url}/o/oauth2/v2/auth",
        "ACCESS_TOKEN_URL": f"{config.google_issuer_url}/token",
        "CERTS_URL": f"{config.google_issuer_url}/oauth2/v3/certs",
        "IDENTITY_URL": f"{config.google_issuer_url}/oauth2/v3/userinfo",
    }

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # body_limit.py refuses what is larger before it is read
SESSION_ENGINE = "copilot_project.sessions"
SESSION_COOKIE_AGE = SESSION_LASTS_SECONDS = 12 * 3600
SESSION_IDLE_SECONDS = 30 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
# Health probes and Prometheus reach the process inside the network, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
X_FRAME_OPTIONS = "DENY"
GOOGLE_ORIGIN = "/".join((config.google_issuer_url or "https://accounts.google.com").split("/")[:3])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        # The Google button is a form that is answered by a redirect, which browsers hold to this line too.
        "form-action": ["'self'", *([GOOGLE_ORIGIN] if config.google_client_id else [])],
        "base-uri": ["'self'"],
        "object-src": ["'none'"],
        "frame-ancestors": ["'none'"],
    },
}

TELEGRAM_BOT_TOKEN = config.telegram_bot_token.get_secret_value() if config.telegram_bot_token else ""
TELEGRAM_BOT_USERNAME = config.telegram_bot_username
TELEGRAM_API_URL = config.telegram_api_url
TELEGRAM_IS_REAL = TELEGRAM_API_URL == REAL_TELEGRAM
TELEGRAM_STARS = bool(config.telegram_stars)
TELEGRAM_PAID_BROADCAST_PER_SECOND = config.telegram_paid_broadcast_per_second
TELEGRAM_WEBHOOK_SECRET = (
    config.telegram_webhook_secret.get_secret_value() if config.telegram_webhook_secret else ""
)
STAFF_CHAT_IDS = config.staff_chat_ids
EXCHANGE_API_URL = config.exchange_api_url

LIVE_TRADING_ALLOWED = bool(config.live_trading_allowed)
EXCHANGE_KEY_SECRETS = (
    [key.strip() for key in config.exchange_key_secrets.get_secret_value().split(",") if key.strip()]
    if config.exchange_key_secrets
    else []
)
LIVE_NO_EVIDENCE_SECONDS = config.live_no_evidence_seconds
LIVE_CALL_TIMEOUT_MS = config.live_call_timeout_ms
MARKET_PROVIDERS = config.market_providers
POLICY_VOTES = config.policy_votes
SELECTOR_VOTES = config.selector_votes
SENTIMENT_SOURCES = config.sentiment_sources
SENTIMENT_CALLS_PER_DAY = config.sentiment_calls_per_day
SENTIMENT_USD_PER_DAY = config.sentiment_usd_per_day
SERVE_SENTIMENT = config.serve_sentiment
XAI_API_KEY = config.xai_api_key.get_secret_value() if config.xai_api_key else ""
XAI_API_URL = config.xai_api_url or ""
XAI_MODEL = config.xai_model
FINNHUB_API_KEY = config.finnhub_api_key.get_secret_value() if config.finnhub_api_key else ""
FINNHUB_API_URL = config.finnhub_api_url or ""
SANDBOX = bool(config.sandbox)
SANDBOX_URL = f"http://127.0.0.1:{config.sandbox_port}"
LEDGER_SIGNING_KEY = config.ledger_signing_key.get_secret_value() if config.ledger_signing_key else ""
LEDGER_HEAD_CHAT_ID = config.ledger_head_chat_id
LEDGER_GIT_REMOTE = config.ledger_git_remote
VAULT_ACCESS = config.vault_access()
METRICS_TOKEN = config.metrics_token.get_secret_value() if config.metrics_token else ""
WORKER_METRICS_PORT = config.worker_metrics_port
SENDER_METRICS_PORT = config.sender_metrics_port

# Why each value: the broker only wakes, the rows are the truth; a lost message costs at most one sweep.
CELERY_BROKER_URL = config.broker_url or REDIS_URL.replace("unix://", "redis+socket://")
BROKER_IS_REDIS = CELERY_BROKER_URL.startswith("redis")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_VISIBILITY_TIMEOUT = 300  # in all three places that Celery reads it from
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
OPTIONS_OF_REDIS = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
    "socket_timeout": 10,
    **({"socket_keepalive": True} if not REDIS_URL.startswith("unix://") else {}),
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **(OPTIONS_OF_REDIS if BROKER_IS_REDIS else {}),
    # Publishing gives up at once: kombu's default is six seconds, in which a webhook would hold up the web process.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TIMEZONE = "UTC"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
CELERY_TASK_ROUTES = {
    "signals.market.tasks.*": {"queue": "market"},
    "signals.tasks.*": {"queue": "signals"},
    "research.tasks.*": {"queue": "research"},
    "signals.tasks.beat_training": {"queue": "training"},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ETA_TASK_LIMIT = 100
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
# ccxt, sklearn, arch and LightGBM are 334 MiB before any data.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 600_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "copilot_project.scheduler:BeatingScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE = SCHEDULE

COPILOT_CRASH_AT = config.copilot_crash_at

# A request's id stands in its lines and, through the message, in those of the tasks that it asked for.
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_USER_ID_FIELD = ""
LOGGING_CONFIG = "copilot_project.logs.configure"
LOGGING = logging_settings(as_json=bool(config.log_json))

# The API. A key and a session of staff are the only ways in; CORS stays off, for nothing here answers another origin.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "users.api.authentication.ApiKeyAuthentication",
        "users.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["users.api.permissions.ScopePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["users.api.throttling.KeyThrottle"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "users.api.schema.SystemSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "users.api.problems.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
API_REQUESTS_PER_MINUTE = {"read": 600, "write": 60}
SPECTACULAR_SETTINGS = {
    "TITLE": "CoPilot",
    "DESCRIPTION": "Signals, candles and the autopilot. `manage.py api_key create` makes a key.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["users.api.permissions.ScopePermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "COMPONENT_SPLIT_REQUEST": True,
}

UNFOLD = {
    "SITE_TITLE": "CoPilot",
    "SITE_HEADER": "CoPilot",
    "SITE_SUBHEADER": "Research and signal distribution",
    "SITE_SYMBOL": "monitoring",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("copilot/icon.svg")}],
    "SITE_URL": None,
    "DASHBOARD_CALLBACK": "research.views.console.console_context",
    "ENVIRONMENT": "copilot_project.sidebar.environment",
    "SHOW_HISTORY": True,
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factors", "link": reverse_lazy("mfa_index")},
            {"title": "My sessions", "link": reverse_lazy("my_sessions")},
        ]
    },
    "STYLES": [
        lambda _: static("copilot/tokens.css"),
        lambda _: static("copilot/components.css"),
        lambda _: static("copilot/deliveries.css"),
        lambda _: static("copilot/lists.css"),
    ],
    "SIDEBAR": {
        "navigation": "copilot_project.sidebar.navigation",
    },
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
}
