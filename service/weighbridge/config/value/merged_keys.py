"""One mapping with the keys of several kinds, and back: what each kind has of it.

The keys of all kinds are checked alike, so that each fault is told beside the others,
also in an entry whose kind is wrong itself. What is right becomes the model of its own
kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

NOTHING: Final = (None, False, ())
"""Values of keys that might as well not be written."""
# What `pydantic.create_model` takes: types that are only known while this runs.
Fields: TypeAlias = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """As they are written."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def required_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """Those that must be written, as they are written."""
    fields = model.model_fields.items()
    return tuple(field.alias or name for name, field in fields if field.is_required())


def merged_fields(
    models: Iterable[type[BaseModel]],
    first: Sequence[str],
    last: Sequence[str],
    required: Sequence[str],
) -> Fields:
    """The fields of all models. A key that two of them have is one key, as the first
    of them has it.

    first, last: keys in their order; those that are not named stand between them
    required:    keys that every kind requires; others are no fault of the mapping
    """
    found: dict[str, FieldInfo] = {}
    for model in models:
        for name, field in model.model_fields.items():
            found.setdefault(name, field)
    own = [name for name in found if name not in (*first, *last)]
    return {
        name: _definition(found[name], may_lack=name not in required)
        for name in (*first, *own, *last)
        if name in found
    }


def _definition(field: FieldInfo, *, may_lack: bool) -> tuple[Any, Any]:
    annotation: Any = field.annotation
    if not (may_lack and field.is_required()):
        return annotation, field
    if get_origin(annotation) is tuple:
        return annotation, FieldInfo.merge_field_infos(field, default=())
    # What checks the value is not to see that there is none.
    metadata = field.metadata
    checked: Any = Annotated[annotation, *metadata] if metadata else annotation
    return checked | None, Field(default=None, alias=field.alias)


def given(written: BaseModel) -> dict[str, Any]:
    """What was written of a mapping, by its keys."""
    return {
        field.alias or name: getattr(written, name)
        for name, field in type(written).model_fields.items()
        if name in written.model_fields_set
    }


def made(model: type[Model], values: Mapping[str, object]) -> Model:
    """The model of its own kind, without what is a key of others. Raises
    ValidationError."""
    own = keys_of(model)
    return model.model_validate({k: v for k, v in values.items() if k in own})


def keys_of_others(
    model: type[BaseModel], values: Mapping[str, object]
) -> frozenset[str]:
    """Keys with a value that this kind does not have."""
    has_value = (key for key, value in values.items() if value not in NOTHING)
    return frozenset(has_value) - frozenset(keys_of(model))
