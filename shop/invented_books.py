"""Books that nobody wrote, to fill shelves for measuring: number n is always the same book.

They come in series whose volumes share one cover, as cheap editions do.
"""

from random import Random
from typing import Any

LARGEST = 1_000_000
# So many titles there are; then each work has a second volume, a third.
_TITLES = 10_000


def _words(text: str) -> list[str]:
    return text.split()


_ADJECTIVES = _words(
    "Bitter Borrowed Broken Bronze Burning Careful Clockwork Cold Copper Crooked Distant Drifting "
    "Drowned Faithful Fallen Forgotten Gentle Gilded Glass Golden Hidden Hollow Hungry Kind Last "
    "Little Lonely Lost Missing Moonlit Narrow Nameless Northern Painted Pale Patient Perfect "
    "Quiet Restless Scarlet Second Secret Silent Silver Sleeping Solitary Southern Stolen Stubborn "
    "Sunken Tender Tidal Vanished Velvet Wandering Weathered Wild Winter Wooden Yellow"
)
_NOUNS = _words(
    "Archive Atlas Beekeeper Bell Bridge Bookbinder Cartographer Cathedral Clock Compass "
    "Daughter Diary Door Falcon Ferry Fiddler Fisherman Fortune Garden Gardener Ghost "
    "Harbor Heiress Horizon House Journey Key Lantern Letter Library Lighthouse Map Meadow Mill "
    "Mirror Monsoon Mountain Museum Night Orchard Painter Physician Pilgrim Promise Queen Railway "
    "River Road Scholar Sea Shore Sparrow Station Stranger Tailor Theater Tower Traveler Valley "
    "Voyage Watchmaker Widow Window"
)
PLACES = _words(
    "Aldermoor Ashcombe Avonlea Belmarsh Brackenfell Calder Carrow Corvane Dunmere Eastwick "
    "Eldermouth Fairlight Fenwick Glasswater Greyholm Halloway Harrowgate Highmoor Ilverstone "
    "Inverbeck Kestrel Kilbrae Langdale Larkhill Lindmere Lorne Marlow Merrowby Millhaven "
    "Netherby Northgate Oakhaven Orrin Pellworth Penrose Quarley Ravensby Rookhope Rosemere "
    "Saltmarsh Selkirk Southwell Stillwater Tarn Thornbury Umber Valemont Wexcombe Whitby Yarrow"
)
FIRST_NAMES = _words(
    "Ada Agnes Alma Anton Beatrice Bruno Cecily Clara Conrad Cyril Dora Edith Elias Emil Esther "
    "Felix Flora Gideon Greta Hugo Ida Ines Jasper Josef Judith Konrad Leonie Lydia Magnus Marta "
    "Miriam Nora Olga Oscar Otto Paula Rufus Silas Thea Viola"
)
LAST_NAMES = _words(
    "Abelard Ashdown Bergmann Birch Calloway Castellan Dahl Delacroix Ellery Fairweather Falk "
    "Garland Grimaldi Hale Hartnell Holm Ivers Keller Kingsley Lacey Lindqvist Maddox Marchetti "
    "Navarro Novak Okonjo Osgood Pemberton Quist Rainer Ridley Sandoval Sorel Thackery Tremaine "
    "Ulrich Valdes Wainwright Whitlock Zeller"
)
_SERIES = (
    "Harbor Library",
    "Lantern Editions",
    "The Orchard Shelf",
    "North Star Books",
    "Pocket Classics",
    "The Reading Room",
    "Evening Library",
    "Compass Books",
    "Heron Paperbacks",
    "The Attic Press",
    "Blue Door Books",
    "Fireside Library",
)
_OPENINGS = (
    "Nobody in {place} speaks of the {noun} any more, until a letter arrives that was posted forty "
    "years ago.",
    "When the last train leaves {place} without her, a young woman finds that she is glad of it.",
    "Three families, one {noun}, and a winter in {place} that none of them would tell alike.",
    "It begins in {place} with a wager about the {noun}, and nobody can afford to win it.",
    "An old account of {place} turns out to be about the living, and most of all about the {noun}.",
)
_CLOSINGS = (
    "A quiet book that does not let go.",
    "Told with patience and dry humor.",
    "For readers who like their answers late.",
    "The ending is worth the long way there.",
    "A favorite of those who read by a window.",
)
# Each has more pairs of words than its share of the titles.
_PATTERNS = (
    ("The {} {}", _ADJECTIVES, _NOUNS),
    ("The {} of {}", _NOUNS, PLACES),
    ("{}'s {}", LAST_NAMES, _NOUNS),
    ("Letters to a {} {}", _ADJECTIVES, _NOUNS),
)


def invented_book(number: int, categories: list[list[str]]) -> dict[str, Any]:
    """Return book `number`, from 1 to LARGEST, as an entry of books.toml with its series.

    No two numbers share a title. The books are dealt out over the `categories` in turn.
    """
    random = Random(number)  # noqa: S311
    noun = random.choice(_NOUNS).lower()
    opening = random.choice(_OPENINGS).format(place=random.choice(PLACES), noun=noun)
    book: dict[str, Any] = {
        "title": _title(number - 1) if number <= _TITLES else _volume(number - 1),
        "author": f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}",
        "first_published": random.randint(1890, 1955),
        "pages": random.randint(9, 60) * 16,
        "category": categories[number % len(categories)],
        "series": _SERIES[number // len(categories) % len(_SERIES)],
        "description": f"{opening} {random.choice(_CLOSINGS)}",
        "paperback": [random.randint(6, 15) * 100 + 90, _units(random)],
    }
    # Every third appeared as a paperback only.
    if number % 3:
        book["hardcover"] = [random.randint(18, 34) * 100 + 90, _units(random)]
    return book


def _volume(index: int) -> str:
    earlier, number = divmod(index, _TITLES)
    return f"{_title(number)}, Volume {earlier + 1}"


def _title(index: int) -> str:
    """Return the title of a book; each pattern goes through its own pairs of words, none twice."""
    turn, number = divmod(index, len(_PATTERNS))
    pattern, firsts, seconds = _PATTERNS[number]
    # The step shares no factor with the number of pairs; neighbors on it have no word in common.
    pair = (turn * 1_777 + number * 401) % (len(firsts) * len(seconds))
    return pattern.format(firsts[pair // len(seconds)], seconds[pair % len(seconds)])


def _units(random: Random) -> int:
    """Return what was delivered of an edition: now and then nothing, sometimes little."""
    return random.choice((0, random.randint(1, 3), *[random.randint(4, 60)] * 8))
