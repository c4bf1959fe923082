"""Where this system may connect to: only public addresses, however they are written, and the one that was checked."""

import asyncio
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mutirao.errors import AddressRefused, InvalidInput, NoSecretKey, SettingsInvalid
from mutirao.ids import new_id
from mutirao.outbound import Outbound, OutboundClient, is_public
from mutirao.secrets_box import SecretsBox
from mutirao.webhooks import Keys, check_events
from pydantic import SecretStr

from tests.receiver import receiver

pytestmark = pytest.mark.anyio

INTERNAL = [
    "http://127.0.0.1", "http://127.1", "http://0x7f000001", "http://2130706433", "http://0177.0.0.1", "http://0",
    "http://0.0.0.0", "http://10.1.2.3", "http://172.16.0.1", "http://172.31.255.255", "http://192.168.0.1",
    "http://169.254.169.254/latest/meta-data", "http://100.100.100.200", "http://192.0.0.192", "http://198.18.0.1",
    "http://224.0.0.1", "http://255.255.255.255", "http://240.0.0.1", "http://192.0.2.1",
    "http://[::1]", "http://[::]", "http://[::ffff:127.0.0.1]", "http://[::ffff:8.8.8.8]", "http://[64:ff9b::7f00:1]",
    "http://[64:ff9b:1::1]", "http://[2002:7f00:1::]", "http://[2001:0:1::1]", "http://[fe80::1]", "http://[fc00::1]",
    "http://[fd00:ec2::254]", "http://[ff02::1]", "http://[::127.0.0.1]", "http://[2001:db8::1]", "http://[fec0::1]",
    "http://localhost", "http://LOCALHOST.", "http://a.localhost", "http://metadata.google.internal", "http://x.local",
]  # fmt: skip


@pytest.mark.parametrize("url", INTERNAL)
def test_an_internal_address_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(AddressRefused, match=r"not a public address|not a URL") as refused:
        Outbound().parse(url)
    assert (refused.value.status, refused.value.code) == (422, "address_refused")


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com", "file:///etc/passwd", "//example.com", "example.com", "", "http://", "http://[::1",
     "http://example.com:99999", "http://example.com:0", "http://user@example.com", "http://a:b@example.com",
     "http://example.com/" + "x" * 2_000, "gopher://8.8.8.8", "http://exa mple.com"],
)  # fmt: skip
def test_what_is_no_url_to_call_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        Outbound().parse(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.com/x?token=1", "http://8.8.8.8:8080", "https://[2606:4700::1111]/", "https://bücher.example",
     "http://internal.example.com", "http://localhost.example.com"],
)  # fmt: skip
def test_a_public_address_passes(url: str) -> None:
    assert Outbound().parse(url).host


def test_public_networks_are_public() -> None:
    for address in ("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "172.32.0.1", "2a00:1450::1"):
        assert is_public(ipaddress.ip_address(address)), address


def test_what_the_settings_allow_passes_and_nothing_beside_it() -> None:
    outbound = Outbound("127.0.0.1, 10.1.0.0/16, receiver.internal, fd00::/8")
    for url in ("http://127.0.0.1", "http://127.1", "http://10.1.9.9", "http://receiver.internal", "http://[fd00::1]"):
        assert outbound.parse(url)
    for url in (
        "http://127.0.0.2",
        "http://10.2.0.1",
        "http://other.internal",
        "http://[fc00::1]",
        "http://[::ffff:a01:1]",
    ):
        with pytest.raises(AddressRefused):
            outbound.parse(url)
    with pytest.raises(SettingsInvalid, match="MUTIRAO_OUTBOUND_ALLOW"):
        Outbound("10.0.0.0/99")


class Resolver:
    """Answers for names, one list of addresses after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers = [*answers]
        self.asked: list[str] = []
        self._own = asyncio.get_running_loop().getaddrinfo
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.resolve)

    async def resolve(self, host: Any, port: Any, **more: Any) -> Any:
        if not str(host).endswith(".example"):
            return await self._own(host, port, **more)
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise socket.gaierror(-2, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


async def test_a_name_with_one_internal_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Resolver(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(AddressRefused, match=r"name\.example \(10\.0\.0\.1\)"):
        await Outbound().check("https://name.example/x")


async def test_a_name_that_cannot_be_resolved_yet_passes_until_something_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Resolver(monkeypatch, [])
    await Outbound().check("https://name.example/x")
    client = OutboundClient(Outbound(), seconds=5, most_bytes=100)
    with pytest.raises(httpx.ConnectError, match="cannot be resolved"):
        await client.post("https://name.example/x", b"{}", {})
    await client.close()


async def test_a_name_that_means_something_else_when_it_is_called_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with receiver() as found:
        url = f"http://name.example:{found.port}/x"
        await Outbound().check(url)
        client = OutboundClient(Outbound(), seconds=5, most_bytes=100)
        with pytest.raises(AddressRefused):
            await client.post(url, b"{}", {})
        await client.close()
        assert found.messages == []
    assert resolver.asked == ["name.example"] * 2


async def test_the_address_that_was_checked_is_called_under_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiver() as found:
        client = OutboundClient(Outbound("127.0.0.1"), seconds=5, most_bytes=100)
        answer = await client.post(f"http://name.example:{found.port}/x?y=1", b"{}", {"X-Own": "1"})
        await client.close()
        assert answer.status == 204
        [message] = found.messages
        assert (message.path, message.headers["host"]) == ("/x?y=1", f"name.example:{found.port}")
    assert resolver.asked == ["name.example"]


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiver() as found:
        found.answers["/x"] = [302]
        client = OutboundClient(Outbound("127.0.0.1"), seconds=5, most_bytes=100)
        assert (await client.post(found.url("/x"), b"{}", {})).status == 302
        await client.close()
        assert [message.path for message in found.messages] == ["/x"]


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that goes on as long as somebody listens."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        while not writer.is_closing():
            writer.write(b"10\r\n0123456789abcdef\r\n")
            await writer.drain()
    except ConnectionError:
        writer.close()


async def test_an_answer_without_end_is_read_to_its_limit() -> None:
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = OutboundClient(Outbound("127.0.0.1"), seconds=20, most_bytes=1000)
        answer = await client.post(f"http://127.0.0.1:{port}/", b"", {})
        await client.close()
    assert len(answer.text) == 1000


async def test_a_call_has_one_time_limit_whatever_trickles_in() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = OutboundClient(Outbound("127.0.0.1"), seconds=0.05, most_bytes=1000)
        with pytest.raises((TimeoutError, httpx.TimeoutException)):
            await client.post(f"http://127.0.0.1:{port}/", b"", {})
        await client.close()


def certificate(name: str, folder: Path) -> Path:
    """A certificate that signs itself, with its key, for one name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, *form) + made.public_bytes(pem))
    return path


async def no_content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(("name", "taken"), [("name.example", True), ("other.example", False)])
async def test_the_certificate_must_be_that_of_the_name(
    name: str, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolver(monkeypatch, ["127.0.0.1"])
    pem = certificate("name.example", tmp_path)
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.sni_callback = lambda connection, host, of: asked.append(host)
    trusted = ssl.create_default_context(cafile=str(pem))
    server = await asyncio.start_server(no_content, "127.0.0.1", 0, ssl=context)
    async with server:
        url = f"https://{name}:{server.sockets[0].getsockname()[1]}/x"
        client = OutboundClient(Outbound("127.0.0.1"), seconds=10, most_bytes=10, tls=trusted)
        if taken:
            assert (await client.post(url, b"", {})).status == 204
        else:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.post(url, b"", {})
        await client.close()
    assert asked == [name]


# Secrets.


def test_a_secret_is_opened_by_its_owner_and_with_its_key_only() -> None:
    box = SecretsBox(SecretStr("a key that is long enough"))
    sealed = box.seal(b"secret", "a")
    assert b"secret" not in sealed
    assert box.open(sealed, "a") == b"secret"
    for other, owner in ((box, "b"), (SecretsBox(SecretStr("another key entirely")), "a")):
        with pytest.raises(NoSecretKey, match="another MUTIRAO_SECRET_KEY"):
            other.open(sealed, owner)
    with pytest.raises(NoSecretKey, match="is not set"):
        SecretsBox(None).seal(b"x", "a")
    with pytest.raises(SettingsInvalid, match="at least 16"):
        SecretsBox(SecretStr("short"))


def test_keys_may_be_replaced_one_after_another() -> None:
    old, new = SecretsBox(SecretStr("0123456789abcdef")), SecretsBox(SecretStr("fedcba9876543210,0123456789abcdef"))
    assert new.open(old.seal(b"x", "a"), "a") == b"x"
    with pytest.raises(NoSecretKey):
        old.open(new.seal(b"x", "a"), "a")


def test_an_old_secret_signs_until_its_time_has_passed() -> None:
    keys = Keys(SecretsBox(SecretStr("0123456789abcdef")), new_id())
    first, sealed = keys.first()
    second, sealed = keys.next(sealed, until=100.0)
    assert keys.valid(sealed, 99) == [second, first]
    assert keys.valid(sealed, 100) == [second]
    third, sealed = keys.next(sealed, until=200.0)
    assert keys.valid(sealed, 0) == [third, second]


@pytest.mark.parametrize("pattern", ["job.nothing", "job", "jobs.*", "*.*", "job.succ*", "", "JOB.*", "webhook.test"])
def test_a_pattern_that_no_event_fits_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="no event fits"):
        check_events([pattern])
    check_events(["*", "job.*", "approval.*", "approval.reminder", "job.dead"])
