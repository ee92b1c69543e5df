"""The edge where Django tells of deleted rows, those that went with their product among them."""

from typing import Any

from django.db.models.signals import post_delete
from django.dispatch import receiver

from shop import queue
from shop.models import ProductImage


@receiver(post_delete, sender=ProductImage)
def remove_files(instance: ProductImage, **kwargs: Any) -> None:
    queue.settle_picture(image_id=instance.pk, original=str(instance.image))
