"""An entry of `channels` as it is written: of whatever kind."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_core import PydanticKnownError

from weighbridge.config.channels.channel_clashes import ChannelModels, channel_clashes
from weighbridge.config.channels.channel_settings import ChannelSettings, check_address
from weighbridge.config.value.clashes import without
from weighbridge.config.value.keys import StrictModel
from weighbridge.config.value.merged_keys import NOTHING, given, made, merged_fields
from weighbridge.domain.text.secret import Secret

_REQUIRED: Final = ("name", "kind")
# What addresses are checked against comes before them.
_FIRST: Final = (
    *_REQUIRED,
    *("allow_private", "plain_http", "url", "url_file", "urls"),
)
_LAST: Final = ("ca_file", "proxy")


def written_channel(models: ChannelModels) -> type[BaseModel]:
    """The model of an entry with the keys of all kinds."""
    *names, last = (f"'{name}'" for name in models)
    expected = f"{', '.join(names)} or {last}"

    def is_known(value: object) -> str:
        if isinstance(value, str) and value in models:
            return value
        raise PydanticKnownError("literal_error", {"expected": expected})

    class WithAddresses(StrictModel):
        """Where a kind may lead, its own model says."""

        model_config = ConfigDict(serialize_by_alias=True)

        @field_validator("url", "url_file", check_fields=False)
        @classmethod
        def _leads_somewhere(
            cls, value: Secret | Path | None, info: ValidationInfo
        ) -> Secret | Path | None:
            kind = info.data.get("kind")
            return value if kind is None else check_address(models[kind], value, info)

    fields = merged_fields(models.values(), _FIRST, _LAST, _REQUIRED)
    fields["kind"] = (Annotated[str, PlainValidator(is_known)], ...)
    return create_model("WrittenChannel", __base__=WithAddresses, **fields)


def made_channel(models: ChannelModels, written: BaseModel) -> ChannelSettings:
    """The channel as its own kind has it. Raises ValidationError,
    PydanticCustomError."""
    values = given(written)
    kind = str(values["kind"])
    keys = {key for key, value in values.items() if value not in NOTHING}
    clash = next(channel_clashes(models, kind, keys), None)
    return made(models[kind], without(values, clash))
