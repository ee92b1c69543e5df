"""CSV files as spreadsheets write and open them: their signs, and the text in their cells."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_text(cell: str) -> str:
    """Keep a spreadsheet from taking text for a formula; figures of ours may start with -.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell


def from_text(cell: str) -> str:
    """Return what `as_text` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULAS) else cell


def decoded(content: bytes) -> str:
    """Return a file's text."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What spreadsheets on Windows write unless they are asked for UTF-8.
        return content.decode("cp1252", errors="replace")


def separator(text: str) -> str:
    """Return the sign between the cells: spreadsheets write what is usual in their country."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)
