"""How long it takes until the product is ready."""

from cli.bench.figures import Figure
from cli.bench.stage import Stage

SECONDS = 5.0


async def measure(stage: Stage) -> list[Figure]:
    """The first start, with a new database, and later ones in the same data folder."""
    starts = []
    for _ in range(stage.scale(3, 1)):
        stage.product.stop()
        starts.append(stage.product.start())
    await stage.reopen()
    return [
        Figure(name="first start in an empty folder", value=stage.product.first_start_seconds, unit="s"),
        Figure(name="later start, the quickest", value=min(starts), unit="s", at_most=SECONDS),
        Figure(name="later start, the slowest", value=max(starts), unit="s", at_most=SECONDS),
    ]
