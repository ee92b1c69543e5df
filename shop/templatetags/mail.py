"""The look of mails. Mail programs drop style sheets, so each element carries its own style."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_SERIF = "'EB Garamond',Georgia,'Times New Roman',serif"
_SANS = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
# By name, the whole of it: the colors are those of tokens.css by day. At night mail/base.html
# changes them by the class of the same name.
_STYLES = {
    "page": "margin:0;padding:0;background:#f1efe8;",
    "frame": "width:100%;max-width:600px;margin:0 auto;",
    "head": f"padding:20px 28px;background:#16382f;border-bottom:3px solid #c79a45;"
    f"font:500 24px/1.2 {_SERIF};color:#f6f2e6;text-decoration:none;",
    "body": f"padding:28px;background:#ffffff;font:400 16px/1.55 {_SANS};color:#1e2422;",
    "title": f"margin:0 0 16px;font:500 30px/1.2 {_SERIF};color:#1e2422;",
    "subtitle": f"margin:28px 0 8px;font:500 21px/1.2 {_SERIF};color:#1e2422;",
    "text": "margin:0 0 16px;",
    "note": "margin:20px 0 0;font-size:14px;color:#59605c;",
    "table": "width:100%;border-collapse:collapse;margin:0 0 20px;",
    "cell": "padding:8px 12px 8px 0;border-bottom:1px solid #dedacd;vertical-align:top;",
    "amount": "padding:8px 0;border-bottom:1px solid #dedacd;vertical-align:top;"
    "text-align:right;white-space:nowrap;",
    "total": "padding:12px 12px 8px 0;font-size:18px;font-weight:600;",
    "total-amount": "padding:12px 0 8px;font-size:18px;font-weight:600;text-align:right;"
    "white-space:nowrap;",
    "button": "display:inline-block;padding:12px 26px;border-radius:3px;background:#1d5a48;"
    "color:#ffffff;font-weight:600;text-decoration:none;",
    "foot": f"padding:20px 28px;font:400 14px/1.55 {_SANS};color:#59605c;",
    "link": "color:#1a5a48;",
}


@register.simple_tag
def look(name: str) -> SafeString:
    """Return the attributes that make an element of a mail look like `name`."""
    return format_html('class="{}" style="{}"', name, SafeString(_STYLES[name]))
