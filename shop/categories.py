"""The tree of categories, read whole: a shop has tens, and one query beats one per level."""

from dataclasses import dataclass

from shop.models import Category


@dataclass(frozen=True, slots=True)
class CategoryTree:
    """Every category by id, and the children of each in the order they are shown."""

    by_id: dict[int, Category]
    children: dict[int | None, list[Category]]

    @classmethod
    def load(cls) -> "CategoryTree":
        by_id: dict[int, Category] = {}
        children: dict[int | None, list[Category]] = {}
        for category in Category.objects.all():
            by_id[category.pk] = category
            children.setdefault(category.parent_id, []).append(category)
        return cls(by_id, children)

    def path(self, category: Category) -> list[Category]:
        """Return the categories from the root down to and including `category`."""
        path: list[Category] = []
        step: Category | None = category
        # Staff may have hung two categories under each other; a page must not go in circles.
        while step is not None and step not in path:
            path.insert(0, step)
            step = self.by_id.get(step.parent_id) if step.parent_id else None
        return path

    def below(self, category: Category) -> list[Category]:
        """Return `category` and all its descendants."""
        found = [category]
        for shelf in found:
            found += [child for child in self.children.get(shelf.pk, []) if child not in found]
        return found
