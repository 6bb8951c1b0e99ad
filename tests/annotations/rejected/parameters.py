"""Parameters by annotation: marks as defaults, constraints that there are not, and what a model's rules are not."""

from typing import Annotated

from cello.params import Body, Cookie, File, Form, Header, Parameter, Path, Query
from cello.validation import DTO, DTOConfig, Email, MinLength, Required, ValidationError

Query(1)  # rejected
Query(min=1)  # rejected
Query(alias=7)  # rejected
Header(min_length="1")  # rejected
Cookie(pattern=b"a")  # rejected
Form(max_length=2.5)  # rejected
File(description=7)  # rejected
Body(embed=True)  # rejected
Parameter("q")  # rejected


def mark_as_default(page: int = Query(ge=1)) -> None: ...  # rejected
def path_as_default(id: int = Path()) -> None: ...  # rejected
def default_of_another_type(page: Annotated[int, Query()] = "1") -> None: ...  # rejected


DTOConfig("id")  # rejected
DTOConfig().exclude(1)  # rejected
DTOConfig().rename("id")  # rejected
DTOConfig().max_depth("deep")  # rejected
DTOConfig().partial("yes")  # rejected
DTOConfig().omit("id")  # rejected

MinLength("2")  # rejected
MinLength()  # rejected
Email("@")  # rejected
Required("name")  # rejected
DTO("Alice")  # rejected
ValidationError(errors=[7])  # rejected
ValidationError(status=400)  # rejected
