"""The Postgres and the Redis that come with the Python packages, for machines that have neither."""

from copilot_project.embedded.error import EmbeddedError
from copilot_project.embedded.postgres import Postgres
from copilot_project.embedded.redis import Redis
from copilot_project.embedded.state import database_url, redis_socket, redis_url, state_dir

__all__ = ["EmbeddedError", "Postgres", "Redis", "database_url", "redis_socket", "redis_url", "state_dir"]
