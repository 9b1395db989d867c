"""Crawls that wait in the queue of workers, as many as a test wants."""

from support.worker_crew import Crew
from weighbridge.jobs.redis.over_celery import CeleryJobs
from weighbridge.ports.job_names import CRAWL
from weighbridge.store.leases.validity import DatabaseClock
from weighbridge.store.registries.registry_rows import RegistryEntry, put_registry
from weighbridge.store.registries.repository_rows import put_repositories


def ask_for_crawls(crew: Crew, url: str, names: list[str]) -> None:
    """All due, and a message for each."""
    clock = DatabaseClock(crew.database)
    clock.measure()
    entry = RegistryEntry("near", "distribution", url, "registry", "loopback", 86_400)
    with crew.database.write() as connection:
        registry_id = put_registry(connection, entry, clock())
        put_repositories(connection, registry_id, names, clock())
    jobs = CeleryJobs(crew.redis.url)
    try:
        for name in names:
            jobs.put(CRAWL, f"near/{name}")
    finally:
        jobs.close()


def waiting(crew: Crew) -> int:
    """Crawls that no worker has taken."""
    rows = crew.repositories().values()
    return sum(row["last_crawl_at"] is None for row in rows)
