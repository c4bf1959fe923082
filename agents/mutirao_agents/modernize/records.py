"""What the workflow takes, gives and keeps. Everything in the state is plain JSON and small: content is in artifacts."""

import operator
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mutirao_agents.modernize.rules.answers import CompiledRecord
from mutirao_agents.modernize.rules.names import STANDARD_FIXERS


def _known_fixer(name: str) -> str:
    if name not in STANDARD_FIXERS:
        raise ValueError(f"no rule {name!r}; one of {', '.join(STANDARD_FIXERS)}")
    return name


Fixer = Annotated[str, AfterValidator(_known_fixer), Field(json_schema_extra={"enum": list(STANDARD_FIXERS)})]
Glob = Annotated[str, Field(min_length=1, max_length=256)]


class Input(BaseModel):
    """Input of `modernize`. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    upload_id: UUID = Field(description="A zip archive with the source files, uploaded before.")
    source: Literal["python2"] = Field("python2", description="Language of the files.")
    target: Literal["python3"] = Field("python3", description="Language to convert to.")
    exclude: list[Glob] = Field(
        default_factory=list, max_length=100, description="Files to copy as they are: shell patterns of whole paths."
    )
    skip_fixers: list[Fixer] = Field(
        default_factory=list, max_length=60, description="Rules of fissix not to apply, such as `input` or `dict`."
    )


class Counts(BaseModel):
    """What became of the files. `kept` are Python files that could not or need not be converted."""

    files: int
    python: int
    excluded: int
    converted: int
    unchanged: int
    kept: int
    compiles: int
    does_not_compile: int
    secrets: int
    missing_modules: int
    to_review: int = Field(description="Places that no rule settled and a person should look at.")


class Output(BaseModel):
    """Output of `modernize`."""

    counts: Counts
    verdicts: dict[str, int] = Field(description="Files by verdict on their equivalence with the original.")
    executed: bool = Field(description="Whether any of the code was run; false in this version.")
    artifacts: list[str] = Field(description="Names of the artifacts but the single converted files.")


class Verdict(StrEnum):
    """Whether a converted file was shown to do what the original did."""

    NOT_VERIFIED = "NOT VERIFIED"  # nothing was executed: the only verdict while there is no sandbox


class Outcome(StrEnum):
    """What the converter did with a Python file."""

    CONVERTED = "converted"  # rules changed it
    UNCHANGED = "unchanged"  # the rules were applied and found nothing to change
    KEPT = "kept"  # the rules were not applied; `reason` says why


class Risk(TypedDict):
    """A construct that is left in a file after the rules: how often, and the first lines (of the original)."""

    construct: str
    count: int
    lines: list[int]


class Conversion(TypedDict):
    """What became of one Python file. `sha256` and `size` are those of the result, which is the artifact
    `converted/<path>` when the outcome is `converted` and the original file otherwise."""

    path: str
    outcome: str
    reason: str
    grammar: str
    sha256: str
    size: int
    fixers: dict[str, int]
    notes: list[str]
    compiled: CompiledRecord
    verdict: str
    risks: list[Risk]


class State(TypedDict, total=False):
    """State of `modernize`. `inventory` is the SHA-256 of the artifact `inventory.json`."""

    upload_id: str
    exclude: list[str]
    skip_fixers: list[str]
    paths: list[str]
    inventory: str
    conversions: Annotated[list[Conversion], operator.add]
    counts: dict[str, int]
    verdicts: dict[str, int]
    executed: bool
    artifacts: list[str]


# An inventory and what is in it; see `inventory`.
Inventory = dict[str, Any]
