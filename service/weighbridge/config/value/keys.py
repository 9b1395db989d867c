"""What every mapping of the configuration has in common."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Strict: no unknown key, no guessed type; inputs stay out of error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )
