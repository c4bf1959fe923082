"""Secrets that must be known again, encrypted (AES-256-GCM) with a key that is not in the database."""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from mutirao.errors import NoSecretKey, SettingsInvalid

_FORM = b"\x01"
_NONCE_BYTES = 12
_SHORTEST = 16


class SecretsBox:
    """Seals and opens secrets. `keys`: what MUTIRAO_SECRET_KEY says; None: everything raises NoSecretKey.

    Raises:
        SettingsInvalid: a key is too short.
    """

    def __init__(self, keys: SecretStr | None) -> None:
        texts = [key.strip() for key in keys.get_secret_value().split(",") if key.strip()] if keys else []
        if any(len(text) < _SHORTEST for text in texts):
            raise SettingsInvalid(
                f"MUTIRAO_SECRET_KEY must have at least {_SHORTEST} characters; take `openssl rand -base64 32`",
                setting="MUTIRAO_SECRET_KEY",
            )
        self._ciphers = [AESGCM(hashlib.sha256(b"mutirao secrets\0" + text.encode()).digest()) for text in texts]

    @property
    def usable(self) -> bool:
        """Whether there is a key."""
        return bool(self._ciphers)

    def seal(self, secret: bytes, owner: str) -> bytes:
        """The secret as it may be stored, to be opened for the same `owner` only. Raises NoSecretKey."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORM + nonce + self._all()[0].encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """What was sealed. Raises NoSecretKey also when it was sealed with none of the keys, or for somebody else."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._all():
            try:
                return cipher.decrypt(nonce, body, owner.encode())
            except InvalidTag:
                continue
        raise NoSecretKey(
            f"the secret of {owner!r} was encrypted with another MUTIRAO_SECRET_KEY; set that one as well"
        )

    def _all(self) -> list[AESGCM]:
        if not self._ciphers:
            raise NoSecretKey("MUTIRAO_SECRET_KEY is not set; set it for the API and the workers to use webhooks")
        return self._ciphers
