"""`python -m config.healthcheck`: ends with 0 when this machine's web process is healthy, else 1.

It speaks to the process itself, past every proxy, under the one name that is answered: SITE_URL's.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 4


def main() -> int:
    """Ask `/health`, and say what was wrong."""
    web = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=TIMEOUT_SECONDS
    )
    try:
        web.request("GET", "/health", headers={"Host": urlsplit(os.environ["SITE_URL"]).netloc})
        status = web.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}")
        return 1
    finally:
        web.close()
    print(f"/health answers {status}")
    return int(status != http.HTTPStatus.OK)


if __name__ == "__main__":
    sys.exit(main())
