"""The staff's view of the catalog and its stock."""

from shop.admin import categories, movements, price_history, products, variants

__all__ = ["categories", "movements", "price_history", "products", "variants"]
