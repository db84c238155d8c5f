"""Whether a picture that was made for another text may serve this one.

Everything structured must be equal in any case (the structured key: source image, movement plan,
provider model, size, seed, negatives, template version, ...). Then there are three levels:

- *exact*: the same request;
- *canonical*: the same content words in the same order, where whole clauses may move;
- *similar*: a cosine from a threshold up. On public pairs of captions 27 % of those that differ in
  one thing pass 0.95, so it serves only by setting, warns each time, and is otherwise a suggestion.

Belongs here: the decision and its reason. Does not belong here: meaning (``canonical``,
``encoder``), the bytes (``result_store``), measuring wrong decisions (``shadow``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from animatize_assets.errors import NotConfigured
from animatize_assets.generation.models import Reuse, ReuseLevel
from animatize_assets.generation.result_index import (
    About,
    Candidate,
    ResultIndex,
    StoredResult,
)
from animatize_assets.generation.semantic.canonical import (
    CanonicalText,
    canonical_text,
    same_words,
)
from animatize_assets.generation.semantic.encoder import Encoder
from animatize_assets.generation.semantic.shadow import FalseHits
from animatize_assets.generation.semantic.similar import cosines, packed, unpacked
from animatize_assets.telemetry import cache_requests

DEFAULT_THRESHOLD = 0.95


@dataclass(frozen=True)
class Decision:
    """A stored result that may serve, and why."""

    result: StoredResult
    level: ReuseLevel
    similarity: float | None
    """Cosine of the texts; None unless the level is similar."""
    why: str
    warning: str | None = None
    """What a person must be told; None unless the level is similar."""

    @property
    def result_key(self) -> str:
        """The key under which the result store has it."""
        return self.result.result_key

    def as_reuse(self, image_key: str) -> Reuse:
        """Return it as the picture's record tells it; ``image_key`` when the store knows none."""
        return Reuse(
            level=self.level,
            source_image_key=self.result.image_key or image_key,
            source_sha256=self.result.sha256,
            similarity=self.similarity,
            why=self.why,
        )


@dataclass(frozen=True)
class Suggestion:
    """A stored result that a person may find good enough."""

    result_key: str
    text: str
    similarity: float


@dataclass(frozen=True)
class Reuser:
    """Looks for what may be reused, at one level.

    ``not_before`` gives the time of last use from which results count
    (:meth:`ResultStore.not_before`). ``false_hits`` gives what the shadow measured so far.
    """

    index: ResultIndex
    not_before: Callable[[], datetime]
    level: ReuseLevel = "canonical"
    threshold: float = DEFAULT_THRESHOLD
    encoder: Encoder | None = None
    false_hits: Callable[[], FalseHits | None] = lambda: None

    def find(self, result_key: str, structured_key: str, text: str) -> Decision | None:
        """Return the closest result that the level allows; None when there is none.

        When its bytes turn out to be damaged the result store forgets it: ask again.

        Raises:
            NotConfigured: the level is similar and there is no sentence model.
        """
        not_before = self.not_before()
        exact = self.index.find(result_key, not_before=not_before)
        if exact is not None:
            return Decision(exact, "exact", None, "the request is the same in every respect")
        if self.level == "exact":
            return None
        content = canonical_text(text)
        found = self.index.same_meaning(structured_key, content.key, not_before=not_before)
        if found is not None and content.words:
            why = "the text has the same content words in the same order, clause by clause"
            return Decision(found, "canonical", None, why)
        newest = self._newest(structured_key, not_before)
        if content.is_plain and content.words:
            found = self._same_words(content, newest, not_before)
            if found is not None:
                why = "the text has the same content words in the same order"
                return Decision(found, "canonical", None, why)
        return self._similar(content, newest, not_before) if self.level == "similar" else None

    def count(self, served: ReuseLevel | None) -> None:
        """Count one request that was looked up: at which level a result served it, if any did."""
        cache_requests.note("result", hit=served == "exact")
        if served != "exact" and self.level != "exact":
            cache_requests.note("semantic", hit=served is not None)

    def suggestions(self, structured_key: str, text: str) -> tuple[Suggestion, ...]:
        """Return results with similar texts, the most alike first; none without a sentence model.

        Raises:
            NotConfigured: the sentence model's files or packages are not there.
        """
        newest = self._newest(structured_key, self.not_before())
        found = self._compared(canonical_text(text), newest)
        return tuple(Suggestion(each.result_key, each.text, cosine) for cosine, each in found)

    def about(
        self,
        structured_key: str,
        text: str,
        *,
        record: str,
        image_key: str | None = None,
        kind: Literal["picture", "expansion"] = "picture",
    ) -> About:
        """Describe a result for the store so that :meth:`find` finds it."""
        content = canonical_text(text)
        vector = None
        if self.encoder is not None:
            encoded = self.encoder.encode(content.text)
            if encoded.vector is not None:
                vector = packed(encoded.vector, self.encoder.version)
        return About(
            kind=kind,
            structured_key=structured_key,
            canonical_key=content.key,
            text=text,
            record=record,
            image_key=image_key,
            vector=vector,
        )

    def _newest(self, structured_key: str, not_before: datetime) -> tuple[Candidate, ...]:
        return self.index.newest(
            structured_key, not_before=not_before, with_vectors=self.encoder is not None
        )

    def _same_words(
        self, content: CanonicalText, newest: Sequence[Candidate], not_before: datetime
    ) -> StoredResult | None:
        for each in newest:
            # most texts are told apart by a word, much faster than they are taken apart
            written = each.text.casefold()
            if not all(word in written for word in content.words):
                continue
            if same_words(content, canonical_text(each.text)):
                return self.index.find(each.result_key, not_before=not_before)
        return None

    def _similar(
        self, content: CanonicalText, newest: Sequence[Candidate], not_before: datetime
    ) -> Decision | None:
        if self.encoder is None:
            raise NotConfigured(
                "Reusing pictures of similar texts needs a sentence model; set "
                "ANIMATIZE_SENTENCE_MODEL, or ANIMATIZE_SEMANTIC_REUSE=canonical."
            )
        compared = self._compared(content, newest)
        if not compared:
            return None
        cosine, candidate = compared[0]
        result = self.index.find(candidate.result_key, not_before=not_before)
        if result is None:  # it went a moment ago
            return None
        measured = self.false_hits()
        wrong = "not measured yet" if measured is None else measured.sentence
        return Decision(
            result,
            "similar",
            cosine,
            f"the setting allows texts with a cosine of at least {self.threshold:g}",
            warning=(
                f"It was made for a similar text (cosine {cosine:.3f}), which may mean something "
                f"else; share of wrong pictures among such: {wrong}."
            ),
        )

    def _compared(
        self, content: CanonicalText, newest: Sequence[Candidate]
    ) -> list[tuple[float, Candidate]]:
        """Return those from the threshold up, the most alike first."""
        if self.encoder is None:
            return []
        encoded = self.encoder.encode(content.text)
        if encoded.vector is None:
            return []
        vectors, candidates = [], []
        for each in newest:
            vector = unpacked(each.vector, self.encoder.version)
            if vector is not None:
                vectors.append(vector)
                candidates.append(each)
        alike = cosines(encoded.vector, vectors)
        found = [
            (float(cosine), each)
            for cosine, each in zip(alike, candidates, strict=True)
            if cosine >= self.threshold
        ]
        return sorted(found, key=lambda pair: -pair[0])
