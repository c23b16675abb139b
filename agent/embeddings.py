"""The memory's words by a model's embeddings, where there is a key or a server and a model is named for it.

`embeddings = "text-embedding-3-small"` in video2reward.toml, or V2R_EMBEDDINGS_MODEL. Its name and the size of its
vectors make a space of their own, so that nothing is compared across models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from video2reward.agent.authors import Bill
from video2reward.agent.settings import Settings, model_settings
from video2reward.memory.errors import MissingPart
from video2reward.memory.recall import Memory
from video2reward.memory.words import HashingSpace, TextSpace

_HOSTED = "text-embedding-3-small"
_BATCH = 256


class ModelSpace:
    """A model behind the OpenAI embeddings protocol. What it reads is charged, once there is somebody to charge."""

    def __init__(self, model: str, settings: Settings) -> None:
        self.name = model
        self._bill: Bill | None = None
        self._uncharged_tokens = 0
        self._settings = settings
        self._size = 0
        self._client: Any = None

    @property
    def size(self) -> int:
        """Return how many numbers the model gives, which it is asked once. Raises MissingPart where it cannot say."""
        if not self._size:
            self._size = len(self._embedded(["size"])[0])
        return self._size

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors. Raises MissingPart where the server does not answer as the protocol says."""
        found: list[list[float]] = []
        for start in range(0, len(texts), _BATCH):
            found += self._embedded(texts[start : start + _BATCH])
        vectors = np.array(found, dtype=np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def bill_to(self, bill: Bill) -> None:
        """Charge a run for what is embedded from now on, and for what was embedded to find out the size."""
        self._bill = bill
        self._charge(0)

    def _embedded(self, texts: Sequence[str]) -> list[list[float]]:
        if self._bill and (refusal := self._bill.refusal()):
            raise MissingPart(f"the embeddings {self.name} were not asked: {refusal}")
        try:
            # Not through langchain, which keeps the tokens to itself.
            answer = self._model().embeddings.create(model=self.name, input=list(texts), encoding_format="float")
            vectors = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
            tokens = answer.usage.prompt_tokens if answer.usage else 0
        except Exception as error:  # of openai, httpx, or of a body that is not as the protocol says
            said = " ".join(str(error).split())[:200]
            if self._settings.api_key:
                said = said.replace(self._settings.api_key.get_secret_value(), "(key)")
            raise MissingPart(f"the embeddings {self.name} at {self._settings.where} failed: {said}") from None
        self._charge(tokens)
        return vectors

    def _charge(self, tokens: int) -> None:
        self._uncharged_tokens += tokens
        if self._bill and self._uncharged_tokens:
            self._bill.charge(self.name, self._uncharged_tokens, 0)
            self._uncharged_tokens = 0

    def _model(self) -> Any:
        if self._client is None:
            from openai import OpenAI

            key = self._settings.api_key.get_secret_value() if self._settings.api_key else "none"
            self._client = OpenAI(
                base_url=self._settings.base_url, api_key=key, timeout=self._settings.timeout_s, max_retries=1
            )
        return self._client


def text_space() -> TextSpace:
    """Return the space of words that the settings ask for: a model's where one is named or a key is there."""
    named = os.environ.get("V2R_EMBEDDINGS_MODEL", "").strip()
    settings = model_settings("author")
    if named == "hashing":
        return HashingSpace()
    if named:
        return ModelSpace(named, settings)
    # A local server rarely serves embeddings beside its chat model; the hosted one does.
    if settings.api_key and not settings.base_url:
        return ModelSpace(_HOSTED, settings)
    return HashingSpace()


def open_memory(home: Any = None) -> Memory:
    """Return the memory with the words' space of the settings; hashed words where the model's cannot be had."""
    space = text_space()
    try:
        assert space.size > 0
    except MissingPart as error:
        memory = Memory(home)
        memory.trouble.append(f"{error} Words are hashed instead.")
        return memory
    return Memory(home, space=space)
