"""The job MEASURE: asks for the layers that crawls have brought, and judges what was
waiting for that."""

from datetime import timedelta
from functools import partial

from weighbridge.engine.context.parts import Parts
from weighbridge.engine.context.site import Site
from weighbridge.engine.judge.changed_policies import refresh_stale
from weighbridge.engine.measure.many_layers import measure_registry
from weighbridge.ports.job_names import MEASURE, TICK
from weighbridge.store.crawls.crawl_requests import open_requests
from weighbridge.store.leases.jobs import Job, due_jobs
from weighbridge.store.registries.registry_rows import find_registry_id


async def measure(parts: Parts, site: Site) -> None:
    """Measure what is not measured yet, if that is due."""
    registry_id = await parts.writer.read(find_registry_id, site.name)
    if registry_id is None:
        return
    job = Job(MEASURE, site.name)
    every = timedelta(seconds=site.interval_s)
    async with parts.shared.doing(job, every) as claimed:
        if claimed is None:
            return
        async with parts.asking(site) as connected:
            left = await measure_registry(
                connected.registry,
                registry_id,
                parts.writer,
                parts.progress,
                parts.clock,
                partial(parts.count_conflicts, site.name),
                partial(parts.shared.gets_further, claimed),
            )
        parts.watcher.measured(site.name, left)
        await bring_up_to_date(parts, site, registry_id)
        parts.deliver()
    if await parts.writer.read(due_jobs, [job], parts.clock()):
        # More came while it was done. Who took that job found it in our hands.
        parts.jobs.put(MEASURE, site.name)
    if await parts.writer.read(open_requests, registry_id):
        parts.jobs.put(TICK, "")


async def bring_up_to_date(parts: Parts, site: Site, registry_id: int) -> None:
    """Make anew and judge what is behind what is known by now."""
    await refresh_stale(parts.writer, registry_id, parts.judging(site), parts.clock)
    await parts.writer.settle()
