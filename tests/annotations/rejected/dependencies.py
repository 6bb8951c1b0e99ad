"""Dependencies: what is none, and parameters of another type than what is provided."""

from collections.abc import AsyncIterator, Iterator

from cello import Depends
from cello.dependencies import Dependency


class Database:
    """What is depended on."""


class Service:
    """Something else."""


async def get_db() -> AsyncIterator[Database]:
    yield Database()


def get_row() -> Iterator[int]:
    yield 1


async def get_name() -> str:
    return "Alice"


Depends(7)  # rejected
Depends(Database())  # rejected
Depends(get_db, scope="session")  # rejected
Depends(get_db, use_cache="no")  # rejected
Depends(get_db, "request")  # rejected
Depends(b"db")  # rejected
Dependency(7)  # rejected


def of_a_generator(db: Service = Depends(get_db)) -> None: ...  # rejected
def of_a_plain_generator(row: str = Depends(get_row)) -> None: ...  # rejected
def of_a_coroutine(name: int = Depends(get_name)) -> None: ...  # rejected
def of_a_class(db: Database = Depends(Service)) -> None: ...  # rejected
