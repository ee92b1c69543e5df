"""Bodies of requests: in JSON nothing is taken for another type than it is."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """What a request sends; a number is no text, and a text no number, as the document says."""

    def to_internal_value(self, data: Any) -> Any:
        # A form has texts alone.
        is_json = isinstance(data, Mapping) and not isinstance(data, QueryDict)
        if is_json and (wrong := dict(self._of_wrong_type(data))):
            raise serializers.ValidationError(wrong, code="invalid")
        return super().to_internal_value(data)

    def _of_wrong_type(self, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, field in self.fields.items():
            value = data.get(name)
            if value is None:
                continue
            if not _fits(field, value):
                yield name, ["This is of another type than it must be."]
            elif isinstance(field, serializers.DictField):
                wrong = {
                    each: ["This is of another type than it must be."]
                    for each, inner in value.items()
                    if not _fits(field.child, inner)
                }
                if wrong:
                    yield name, wrong


def _fits(field: Any, value: Any) -> bool:
    match field:
        case serializers.BooleanField():
            return isinstance(value, bool)
        case serializers.IntegerField():
            is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return is_whole and not isinstance(value, bool)
        case serializers.CharField() | serializers.ChoiceField():
            return isinstance(value, str)
        case serializers.DictField():
            return isinstance(value, dict)
    return True
