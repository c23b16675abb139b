"""What tokens cost: `prices.toml` beside this file, and before it the user's own [prices] in `video2reward.toml`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from video2reward.agent.settings import settings_file
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record

TABLE = Path(__file__).with_name("prices.toml")
_PER_TOKEN = 1e-6
# A model's dated version: gpt-4o-2024-08-06, mistral-large-2411.
_DATED = re.compile(r"-\d{4}(-\d\d-\d\d)?$|-\d{8}$")


class Price(Record):
    """Dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)

    def usd(self, input_tokens: int, output_tokens: int) -> float:
        return _PER_TOKEN * (self.input * input_tokens + self.output * output_tokens)


def price_of(model: str) -> Price | None:
    """Return what a model costs; None where no table names it. Raises BadInput for a table that cannot be read."""
    own = settings_file()
    tables = [(own, _read(own).get("prices", {}))] if own else []
    tables.append((TABLE, _read(TABLE)))
    for path, table in tables:
        for name in (model, _DATED.sub("", model)):
            if isinstance(table, dict) and name in table:
                return _price(name, table[name], path)
    return None


def _price(model: str, row: Any, path: Path) -> Price:
    try:
        return Price.model_validate(row)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise BadInput(
            f"the price of {model} in {path} cannot be used: {said}.", "Write input = and output =, in dollars."
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Mend or remove it.") from None
