from support.images import an_image, an_index_of, some_layers
from support.store_world import World
from weighbridge.domain.platform import Platform
from weighbridge.store.reports import *


def test_smoke(world: World) -> None:
    a = an_image(some_layers(100, 20))
    b = an_image(some_layers(100, 30), platform=Platform("linux", "arm64"))
    world.keep(a, b)
    world.look({"v1": a, "v2": an_index_of(a, b)})
    print(world.report())
    print(world.tags())
    with world.database.read() as c:
        print(find_weighing(c, "hub", "acme/app", tag="v2", all_platforms=True))
        print(registry_reports(c), snapshot_version(c), pass_page(c), search(c, "ac", 3), search(c,"v1",3))
        print(repository_page(c, RepositoryQuery()))
        for s in SORTS:
            repository_page(c, RepositoryQuery(sort=s))
