"""Sentence vectors of all-MiniLM-L6-v2, without a deep-learning framework.

The network is BERT (Devlin et al., 2019) with 6 layers of width 384 and 12 heads, mean pooling and
unit length (Reimers and Gurevych, Sentence-BERT, 2019), computed by numpy from the published
weights. It gives the vectors of the original to 1e-6 at a tenth of its start-up time.

Belongs here: text to vector. Does not belong here: which texts are alike enough (``similar``,
``reuse``), what is left out of a text first (``canonical``).
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from animatize_assets.errors import NotConfigured

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from animatize_assets.generation.memory_cache import MemoryCache

Floats = NDArray[np.float32]

MOST_TOKENS = 256
"""The window that the network was trained with; its tokenizer file says 128, which hides text."""

WIDTH = 384
_HEADS = 12
_LAYERS = 6
_EPSILON = 1e-12
_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_UNKNOWN = "[UNK]"


@dataclass(frozen=True)
class Encoded:
    """A text's vector of length 1, or why it has none."""

    vector: Floats | None
    refused: str | None = None


class Encoder(Protocol):
    """Gives texts vectors."""

    @property
    def version(self) -> str:
        """16 hexadecimal digits; vectors of different versions are never compared."""

    def encode(self, text: str) -> Encoded:
        """Encode a text, or say why not."""


class SentenceEncoder:
    """Encodes texts, one at a time, on one thread: the same text gives the same bytes.

    ``folder`` holds ``model.safetensors`` and ``tokenizer.json``. Nothing is read before the first
    text. Safe to use from several threads.
    """

    def __init__(self, folder: Path, cache: MemoryCache[str, Encoded] | None = None) -> None:
        self._folder = Path(folder)
        self._cache = cache
        self._lock = threading.Lock()

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits that change with the weights or the tokenizer.

        Raises:
            NotConfigured: the folder does not hold both files.
        """
        digest = hashlib.sha256()
        for name in (_TOKENIZER, _WEIGHTS):
            with self._file(name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]

    def encode(self, text: str) -> Encoded:
        """Encode ``text``; one with unknown characters or over 256 tokens is refused.

        Unknown characters all look the same to the network, and what is beyond its window it does
        not see: two texts that differ there alone would be called equal.

        Raises:
            NotConfigured: the folder does not hold both files, or a package is missing.
        """
        kept = None if self._cache is None else self._cache.get(text)
        if kept is not None:
            return kept
        with self._lock:
            encoded = self._encode(text)
        if self._cache is not None:
            self._cache.put(text, encoded)
        return encoded

    def _encode(self, text: str) -> Encoded:
        tokens = self._tokenizer.encode(text)
        if _UNKNOWN in tokens.tokens:
            return Encoded(None, "it has characters that the sentence model does not know")
        if len(tokens.ids) > MOST_TOKENS:
            return Encoded(None, f"it has {len(tokens.ids)} tokens, more than {MOST_TOKENS}")
        if len(tokens.ids) <= 2:  # only the marks of beginning and end
            return Encoded(None, "it has no words")
        with self._one_thread():
            vector = _forward(self._weights, np.asarray(tokens.ids))
        vector.setflags(write=False)
        return Encoded(vector)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise _missing("tokenizers") from error
        tokenizer = Tokenizer.from_file(str(self._file(_TOKENIZER)))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _weights(self) -> dict[str, Floats]:
        try:
            from safetensors.numpy import load_file
        except ImportError as error:
            raise _missing("safetensors") from error
        weights = load_file(str(self._file(_WEIGHTS)))
        expected = (30522, WIDTH)
        found = weights.get("embeddings.word_embeddings.weight", np.empty(0)).shape
        if found != expected:
            raise NotConfigured(
                f"'{self._folder}' holds another model ({found} instead of {expected}); "
                "ANIMATIZE_SENTENCE_MODEL must name a folder with all-MiniLM-L6-v2."
            )
        return weights

    def _file(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise NotConfigured(
                f"'{self._folder}' has no {name}; ANIMATIZE_SENTENCE_MODEL must name a folder "
                "with the weights of all-MiniLM-L6-v2."
            )
        return path

    @cached_property
    def _one_thread(self) -> _Limiter:
        return _Limiter()


class _Limiter:
    """Keeps BLAS on one thread: for so little work more are slower, and much slower when busy."""

    def __init__(self) -> None:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped] # has none

        self._controller = ThreadpoolController()

    def __call__(self) -> _Limiter:
        return self

    def __enter__(self) -> None:
        self._limit = self._controller.limit(limits=1, user_api="blas")
        self._limit.__enter__()

    def __exit__(self, *error: object) -> None:
        self._limit.__exit__(*error)


def _missing(package: str) -> NotConfigured:
    return NotConfigured(
        f"Comparing texts by meaning needs the package {package}; "
        "install animatize-assets[similar]."
    )


def _forward(weights: dict[str, Floats], ids: NDArray[np.int64]) -> Floats:
    """Token ids (n) to a vector (384) of length 1."""
    names = "embeddings.{}_embeddings.weight"
    hidden = weights[names.format("word")][ids]
    hidden = hidden + weights[names.format("position")][: len(ids)]
    hidden = hidden + weights[names.format("token_type")][0]
    hidden = _normalized(weights, "embeddings.LayerNorm", hidden)
    for layer in range(_LAYERS):
        hidden = _layer(weights, f"encoder.layer.{layer}.", hidden)
    mean = hidden.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _layer(weights: dict[str, Floats], name: str, hidden: Floats) -> Floats:
    count = len(hidden)

    def heads(which: str) -> Floats:
        projected = _linear(weights, f"{name}attention.self.{which}", hidden)
        return projected.reshape(count, _HEADS, -1).transpose(1, 0, 2)

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(WIDTH // _HEADS))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    attended = (scores @ value).transpose(1, 0, 2).reshape(count, WIDTH)
    attended = _linear(weights, f"{name}attention.output.dense", attended)
    hidden = _normalized(weights, f"{name}attention.output.LayerNorm", attended + hidden)
    wide = _gelu(_linear(weights, f"{name}intermediate.dense", hidden))
    narrow = _linear(weights, f"{name}output.dense", wide)
    return _normalized(weights, f"{name}output.LayerNorm", narrow + hidden)


def _linear(weights: dict[str, Floats], name: str, values: Floats) -> Floats:
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _normalized(weights: dict[str, Floats], name: str, values: Floats) -> Floats:
    centred = values - values.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
    scaled = centred / deviation * weights[f"{name}.weight"]
    return np.asarray(scaled + weights[f"{name}.bias"], np.float32)


def _gelu(values: Floats) -> Floats:
    """GELU, x * Phi(x), with erf by Abramowitz and Stegun, 7.1.26 (error at most 1.5e-7)."""
    scaled = np.abs(values) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = np.float32(1.061405429) * t
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(coefficient)) * t
    erf = np.copysign(1 - series * np.exp(-scaled * scaled), values)
    return np.asarray(values * np.float32(0.5) * (1 + erf), np.float32)
