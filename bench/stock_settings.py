"""The product's settings with the routes of bench/stock.py."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "bench.stock"
