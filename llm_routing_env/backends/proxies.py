"""The proxy between this machine and an endpoint, as the environment names it."""

from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp


class Proxy(NamedTuple):
    """Where requests go first.

    Attributes:
        url: Its address, without name and password: addresses get into errors. None: there is none.
        auth: Name and password.
        secrets: What must not be shown of it.
    """

    url: str | None = None
    auth: aiohttp.BasicAuth | None = None
    secrets: tuple[str, ...] = ()


def find_proxy(base_url: str) -> Proxy:
    """Return the proxy of an address; aiohttp's own look-up takes a thread for every request.

    Raises:
        ValueError: The environment names one that cannot be.
    """
    parts = urlsplit(base_url)
    if parts.hostname in ("127.0.0.1", "localhost", "::1") or proxy_bypass(parts.hostname or ""):
        return Proxy()
    url = getproxies().get(parts.scheme)
    if not url:
        return Proxy()
    try:
        return _read(url if "://" in url else f"http://{url}")
    except ValueError:  # not quoted, and no cause: either may hold the password
        raise ValueError(
            f"The environment's {parts.scheme} proxy ({parts.scheme}_proxy) must look like 'http://host:port' or "
            "'http://name:password@host:port', signs such as '/', '#' and '@' in a password as %2F, %23 and %40."
        ) from None


def _read(url: str) -> Proxy:
    parts = urlsplit(url)
    if not _is_address(parts, url):
        raise ValueError
    if "@" not in parts.netloc:
        return Proxy(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    auth = aiohttp.BasicAuth(name, password, encoding="utf-8")
    sent = auth.encode().removeprefix("Basic ")
    return Proxy(bare, auth, (password, f"{name}:{password}", f"{parts.username}:{parts.password}", sent))


def _is_address(parts: SplitResult, url: str) -> bool:
    rest = parts.path.strip("/") or parts.query or parts.fragment  # the end of a password that is not quoted
    is_plain = url.isprintable() and " " not in url and not rest
    return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
