"""Calls to addresses that users name: only ever to public ones, or to those that the settings allow besides.

The name is resolved here, every address it has is checked, and the connection goes to the very address that was checked:
a name that means something else a moment later (DNS rebinding) changes nothing. No redirect is followed, no proxy of the
environment is used, time and size of an answer are limited.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Any

import httpx

from mutirao.errors import AddressRefused, SettingsInvalid

Address = IPv4Address | IPv6Address

_RESOLVE_SECONDS = 3.0
_LONGEST_URL = 2_000
_SCHEMES = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]+")
_LOCAL_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa")

# IANA's registries of special addresses, and multicast. Independent of what a release of Python takes for global.
_NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
# All else in IPv6 is not assigned, local, or another way to write an IPv4 address (mapped, NAT64).
_PUBLIC_V6 = IPv6Network("2000::/3")
# Teredo and other protocols, documentation, 6to4.
_NOT_PUBLIC_V6 = [
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "3ffe::/16")
]


@dataclass(frozen=True)
class Answer:
    """What a receiver has answered."""

    status: int
    text: str
    """The beginning of its body."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


class Outbound:
    """Whom this system may call. `allow`: what MUTIRAO_OUTBOUND_ALLOW says, see there.

    Raises:
        SettingsInvalid: an entry is none of the three.
    """

    def __init__(self, allow: str = "") -> None:
        self._networks: list[ipaddress.IPv4Network | IPv6Network] = []
        self._names: set[str] = set()
        for entry in filter(None, (part.strip().lower() for part in allow.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if "/" in entry or ":" in entry:
                    raise SettingsInvalid(
                        f"MUTIRAO_OUTBOUND_ALLOW: {entry!r} is no network, address or host name",
                        setting="MUTIRAO_OUTBOUND_ALLOW",
                    ) from None
                self._names.add(entry.rstrip("."))

    def parse(self, url: str) -> httpx.URL:
        """The URL, where it can be called as far as one can see it.

        Raises:
            AddressRefused: it is no http(s) URL, it has credentials in it, or it names an address that is not public.
        """
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressRefused(f"{url[:200]!r} is not a URL: {error}") from None
        callable_port = parsed.port is None or 0 < parsed.port < 1 << 16
        callable_host = _HOST.fullmatch(_host(parsed)) is not None
        if parsed.scheme not in _SCHEMES or not (callable_host and callable_port) or len(url) > _LONGEST_URL:
            raise AddressRefused(f"{url[:200]!r} cannot be called; send an http:// or https:// URL with a host")
        if parsed.userinfo:
            raise AddressRefused("the URL has credentials in it; leave them out, messages are signed")
        host = _host(parsed)
        literal = _literal(host)
        if literal is not None:
            self._check(host, literal)
        elif host not in self._names and (
            host in _LOCAL_NAMES or host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES))
        ):
            raise AddressRefused(_refusal(host, host))
        return parsed

    async def check(self, url: str) -> None:
        """What can be checked before anything is sent. A name that cannot be resolved now passes: sending checks again.

        Raises:
            AddressRefused: see `parse`; or the name has an address that is not public.
        """
        parsed = self.parse(url)
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                await self.resolve(parsed)
        except (OSError, TimeoutError):
            return

    async def resolve(self, url: httpx.URL) -> list[Address]:
        """Every address of the URL's host, all of them allowed.

        Raises:
            AddressRefused: one of them is not.
            OSError: the name cannot be resolved.
        """
        host = _host(url)
        literal = _literal(host)
        if literal is not None:
            addresses = [literal]
        else:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, url.port or _SCHEMES[url.scheme], type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
        for address in addresses:
            self._check(host, address)
        return addresses

    def _check(self, host: str, address: Address) -> None:
        allowed = host in self._names or any(
            address.version == network.version and address in network for network in self._networks
        )
        if not allowed and not is_public(address):
            raise AddressRefused(_refusal(host, str(address)))


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to an address that was checked. `Host`, SNI and the check of the certificate are those of the name."""

    def __init__(self, outbound: Outbound, tls: ssl.SSLContext | None = None) -> None:
        self._outbound = outbound
        # No connection is used twice: it was checked for one name, and another one may have the same address.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=tls or True, trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = self._outbound.parse(str(request.url))
        try:
            addresses = await self._outbound.resolve(url)
        except OSError as error:
            raise httpx.ConnectError(f"the name {url.host!r} cannot be resolved: {error}", request=request) from error
        request.headers["Host"] = url.netloc.decode("ascii")
        request.extensions = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
        failure: Exception = httpx.ConnectError(f"{url.host!r} has no address", request=request)
        for address in addresses:
            request.url = url.copy_with(host=str(address))
            try:
                return await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    async def aclose(self) -> None:
        await self._inner.aclose()


class OutboundClient:
    """Sends messages. At most `seconds` for a whole call, whatever the other side does; at most `most_bytes` are read.

    `tls`: whose certificates are taken; default: those of the public authorities.
    """

    def __init__(
        self, outbound: Outbound, *, seconds: float, most_bytes: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._http = httpx.AsyncClient(
            transport=PinnedTransport(outbound, tls), follow_redirects=False, trust_env=False, timeout=seconds
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST the body; whatever the status, that is an answer.

        Raises:
            AddressRefused: it may not be called.
            httpx.HTTPError: no answer came.
            TimeoutError: it took too long.
        """
        async with (
            asyncio.timeout(self._seconds),
            self._http.stream("POST", url, content=body, headers={"Accept-Encoding": "identity", **headers}) as answer,
        ):
            return Answer(answer.status_code, await self._beginning(answer))

    async def _beginning(self, answer: httpx.Response) -> str:
        found = b""
        async for part in answer.aiter_raw():
            found += part
            if len(found) >= self._most_bytes:
                break
        return found[: self._most_bytes].decode(errors="replace")

    async def close(self) -> None:
        await self._http.aclose()


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").lower().rstrip(".")


def _literal(host: str) -> Address | None:
    """The address that a host is written as, in any form a resolver would take for one: 127.1, 0x7f000001, 2130706433."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _refusal(host: str, address: str) -> str:
    shown = host if host == address else f"{host} ({address})"
    return (
        f"{shown} is not a public address, so nothing is sent there; name a public one, or let the operator add it to "
        "MUTIRAO_OUTBOUND_ALLOW"
    )


def reason(error: BaseException) -> dict[str, Any]:
    """Why a call brought no answer, for its log."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return {"error": "no answer in time"}
    return {"error": f"{type(error).__name__}: {error}"[:500]}
