"""On a real API server: nothing that somebody else made becomes a pool's."""

import asyncio

from ingest_core.kube.resources import SERVICES, STATEFUL_SETS
from ingest_core.names import LABEL_POOL
from tests.fakes.operated import Operated


async def test_a_service_of_somebody_else_is_let_be_by_a_pool_of_its_name(here: Operated) -> None:
    """Looking at it, by a patch of nothing, changes nothing; and the operator's Role allows it."""
    spec = {"clusterIP": "None", "selector": {"app": "theirs"}}
    await here.apply(SERVICES, "default", spec)
    theirs = await here.find(SERVICES, "default")
    await here.pool(replicas=1)
    await here.operator()
    await here.eventually(lambda: here.find(STATEFUL_SETS, "default"), "the rest is made")
    await here.until(lambda: "object_of_somebody_else" in here.said(), "it says why")
    await asyncio.sleep(1)
    assert await here.find(SERVICES, "default") == theirs
    await here.api.delete(SERVICES, "default")

    async def made() -> bool:
        found = await here.find(SERVICES, "default")
        return found is not None and found["metadata"]["labels"][LABEL_POOL] == "default"

    await here.eventually(made, "it is the pool's now", seconds=70)
