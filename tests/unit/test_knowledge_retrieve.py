"""Fusion of ranks, near copies, and what embeddings are given."""

from uuid import UUID

import numpy as np
import pytest
from mutirao.errors import InvalidInput, SettingsInvalid, Unavailable
from mutirao.knowledge.records import FoundChunk
from mutirao.knowledge.store import checked_collection_name, checked_document_name
from mutirao.settings import ModelSettings
from mutirao_agents.knowledge.chroma import Chroma
from mutirao_agents.knowledge.embeddings import BuiltinEmbeddings, embeddings, plain
from mutirao_agents.knowledge.retrieve import Texts, distinct, fused

A, B, C, D = (UUID(int=n) for n in range(1, 5))


def chunk(name: UUID, text: str) -> FoundChunk:
    return FoundChunk(
        id=name, document_id=name, document_name="d", document_version=1, document_sha256="0", media_type="text/plain",
        language="en", page=1, page_start=0, start=0, end=len(text), heading="", text=text,
    )  # fmt: skip


def test_fusion_adds_reciprocal_ranks() -> None:
    scores = fused(({A: 1, B: 2}, {B: 1, C: 2}))
    assert scores == {A: 1 / 61, B: 1 / 62 + 1 / 61, C: 1 / 62}
    assert max(scores, key=lambda name: scores[name]) == B


def test_near_copies_are_dropped_but_not_those_that_differ_in_a_number() -> None:
    words = " ".join(f"word{chr(97 + n)}" for n in range(24))
    chunks = {
        A: chunk(A, f"{words} and 97 cisterns"),
        B: chunk(B, f"{words.upper()}\nand 97 cisterns!"),
        C: chunk(C, f"{words} and 112 cisterns"),
        D: chunk(D, "something else"),
    }
    assert distinct([A, B, C, D], chunks, 9) == [A, C, D]
    assert distinct([A, B, C, D], chunks, 2) == [A, C]


def test_texts_are_remembered_up_to_a_size() -> None:
    texts = Texts()
    texts.keep("a", "x" * 9_000_000)
    texts.keep("b", "y" * 9_000_000)
    assert texts.get("a") is None
    assert texts.get("b") == "y" * 9_000_000


def test_what_a_model_is_given_is_plain_and_short() -> None:
    assert plain(" a\r\n b\x00c\ufffed \ud83d") == "a b c d ?"
    assert len(plain("word " * 400_000)) <= 2_000


def test_a_setting_that_names_no_provider_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="MUTIRAO_EMBEDDINGS='e5': use 'builtin', or provider:model"):
        embeddings(ModelSettings(embeddings="e5"))


@pytest.mark.anyio
async def test_a_provider_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(Unavailable, match="embeddings 'nobody:nothing' did not answer"):
        await embeddings(ModelSettings(embeddings="nobody:nothing")).query("x")


@pytest.mark.anyio
async def test_the_builtin_model_brings_languages_together() -> None:
    model = BuiltinEmbeddings()
    try:
        passages = await model.passages(
            ["A água da cisterna deve ser fervida antes de beber.", "O parlamento votou a lei em 1988.", "", "\x00👍"]
        )
        query = await model.query("How do I make cistern water safe to drink?")
    finally:
        model.close()
    assert passages.shape == (4, 384)
    assert passages.dtype == query.dtype == np.float32
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-3)
    assert np.argmax(passages @ query) == 0


@pytest.mark.anyio
async def test_a_missing_chroma_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="set MUTIRAO_CHROMA_URL"):
        await Chroma(None).find("x")
    chroma = Chroma("http://127.0.0.1:9")
    try:
        with pytest.raises(Unavailable, match=r"Chroma at 'http://127.0.0.1:9' does not answer"):
            await chroma.find("x")
    finally:
        await chroma.close()


@pytest.mark.parametrize("name", ["ab", "x" * 513, "with space", "ação", "a/b", "", "a\n", "a\x00bc"])
def test_names_chroma_would_refuse_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="use 3 to 512 of a-z, A-Z, 0-9"):
        checked_collection_name(name)


@pytest.mark.parametrize("name", ["abc", "A.b-c_9", "x" * 512])
def test_other_names_serve(name: str) -> None:
    assert checked_collection_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00", "x" * 513, "\ud800"])
def test_document_names_are_printable(name: str) -> None:
    with pytest.raises(InvalidInput, match="use 1 to 512 printable characters"):
        checked_document_name(name)
