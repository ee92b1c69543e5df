"""The picture as a field, of a model and of a form."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.db.models.fields.files import ImageFieldFile
from PIL import Image

from shop import pictures


class PictureFormField(forms.ImageField):
    """Accepts what `shop.pictures` does, and says why it refuses."""

    def to_python(self, data: Any) -> "File[bytes] | None":
        if isinstance(data, UploadedFile):
            try:
                image = pictures.opened(data)
                pictures.require_whole(image)
            except pictures.UnfitPicture as error:
                raise ValidationError(str(error), code="invalid_image") from error
            # Files are served by their suffix, so it must be what the content is, whatever it was.
            data.name = f"picture{pictures.SUFFIXES[image.format or '']}"
            data.seek(0)
        return super().to_python(data)


class PictureFile(ImageFieldFile):
    def _get_image_dimensions(self) -> tuple[int, int]:
        """Return width and height as shown; Django's own are those before turning upright."""
        closed = self.closed
        self.open()
        try:
            return pictures.size(Image.open(self))
        finally:
            if closed:
                self.close()
            else:
                self.seek(0)


class PictureField(models.ImageField):
    attr_class = PictureFile

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": PictureFormField, **kwargs})
