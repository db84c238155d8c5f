"""The tables, as SQLAlchemy Core describes them.

The migrations under ``migrations/versions`` are the history; this is where it has led, and a test
compares the two. Belongs here: columns and constraints. Does not belong here: queries (each room
writes its own) and domain rules.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),  # the order of registration
    Column("sha256", String(64), nullable=False, unique=True),
    Column("image_key", String(64), nullable=False, unique=True),
    Column("original_name", String, nullable=False),
    Column("format", String(8), nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("source_mode", String(16), nullable=False),
    Column("exif_orientation", Integer, nullable=False),
    Column("has_icc_profile", Boolean, nullable=False),
    Column("flattened_alpha", Boolean, nullable=False),
    Column("frame_count", Integer, nullable=False),
    Column("original_path", String, nullable=False),
    Column("normalized_path", String, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    Column("traceparent", String(55)),  # W3C: the trace in which it was taken in
    sqlite_autoincrement=True,
)

image_aliases = Table(
    "image_aliases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("image_id", ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("image_id", "name"),
    sqlite_autoincrement=True,
)

image_states = Table(
    "image_states",
    metadata,
    Column(
        "image_id",
        ForeignKey("images.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("state", String(16), nullable=False),
    # unknown, missing, in_progress, failed, complete, archived
    Column("run_id", String(64)),
    Column("provider", String(32)),
    Column("movement", String(32)),
    Column("code_digest", String(64)),
    Column("reason", String),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Index(None, "state", "image_id"),
    Index(None, "provider", "image_id"),
    Index(None, "movement", "image_id"),
)
"""How far each image is: one row per image, a note of what is known elsewhere."""

image_archives = Table(
    "image_archives",
    metadata,
    Column(
        "image_id",
        ForeignKey("images.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("archived_at", DateTime(timezone=True), nullable=False),
    Column("materializations", String, nullable=False),  # JSON object: asset -> its tags
    Index(None, "archived_at"),
)
"""Images that are no partition any more; with what makes Dagster know them again."""

generation_requests = Table(
    "generation_requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("image_key", String(64), nullable=False),
    Column("run_id", String(64)),
    Column("target", String(32), nullable=False),
    Column("style", String(32), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("model", String(96), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("movement", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),  # made, exact, canonical, similar, failed
    Column("made_by", String(32)),
    Column("cost_nanousd", BigInteger),
    Column("result_key", String(64)),
    Index(None, "image_key"),
    Index(None, "requested_at"),
    sqlite_autoincrement=True,
)
"""Every request for a picture, those answered from a cache included."""

generation_calls = Table(
    "generation_calls",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("call_id", String(36), nullable=False, unique=True),
    Column("purpose", String(16), nullable=False),  # picture, expansion, batch
    Column("provider", String(32), nullable=False),
    Column("model", String(96), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("image_key", String(64)),
    Column("run_id", String(64)),
    Column("state", String(16), nullable=False),  # open, settled, failed, written_off
    Column("expected_nanousd", BigInteger),
    Column("cost_nanousd", BigInteger),
    Column("remote_id", String(256)),
    Column("resume", String),
    Column("failure", String(24)),
    Column("usage", String),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Index(None, "state"),
    Index(None, "opened_at"),
    Index(None, "run_id"),
    Index(None, "fingerprint"),
    sqlite_autoincrement=True,
)
"""The ledger: one row before each call that may cost money, its outcome after it.

Money is in billionths of a dollar, as whole numbers: sums are exact. An open row of a process that
is no more is possible spend.
"""

expansion_batches = Table(
    "expansion_batches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("batch_key", String(36), nullable=False, unique=True),
    Column("model", String(96), nullable=False),
    Column("state", String(16), nullable=False),
    Column("input_file_id", String(128)),
    Column("remote_id", String(128)),
    Column("output_file_id", String(128)),
    Column("error_file_id", String(128)),
    Column("error", String),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("submitted_at", DateTime(timezone=True)),
    Column("checked_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Index(None, "state"),
    Index(None, "remote_id"),
    sqlite_autoincrement=True,
)
"""Batches of prompt expansions, from written to finished."""

expansion_lines = Table(
    "expansion_lines",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("custom_id", String(64), nullable=False, unique=True),
    Column("batch_id", ForeignKey("expansion_batches.id", ondelete="CASCADE")),
    Column("image_key", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("model", String(96), nullable=False),
    Column("body", String, nullable=False),
    Column("state", String(16), nullable=False),  # waiting, submitted, done, failed
    Column("submissions", Integer, nullable=False),
    Column("result", String),
    Column("failure", String),
    Column("cost_nanousd", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("traceparent", String(55)),  # W3C: the image's trace, in which it was asked
    Index(None, "state"),
    Index(None, "fingerprint"),
    sqlite_autoincrement=True,
)
"""Single expansions of the batches; a line outlives the batch that failed it."""

stored_results = Table(
    "stored_results",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("result_key", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # picture, expansion
    Column("image_key", String(64)),
    Column("structured_key", String(64), nullable=False),
    Column("canonical_key", String(64), nullable=False),
    Column("text", String, nullable=False),
    Column("vector", LargeBinary),
    Column("sha256", String(64), nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("record", String, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=False),
    Column("uses", Integer, nullable=False),
    Index(None, "structured_key", "canonical_key"),
    Index(None, "structured_key", "id"),
    Index(None, "used_at"),
    sqlite_autoincrement=True,
)
"""Index of the result store: what is kept in it, and under which meaning."""

provider_health = Table(
    "provider_health",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("state", String(16), nullable=False),  # closed, open, half_open
    Column("failures", Integer, nullable=False),
    Column("reason", String(24)),
    Column("opened_at", DateTime(timezone=True)),
    Column("changed_at", DateTime(timezone=True), nullable=False),
)
"""Circuit breakers as last seen by any process."""

refused_parameters = Table(
    "refused_parameters",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("model", String(96), primary_key=True),
    Column("parameter", String(64), primary_key=True),
    Column("refused_at", DateTime(timezone=True), nullable=False),
)
"""Parameters that a model turned down once, and is not sent again."""

pregeneration_batches = Table(
    "pregeneration_batches",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("batch_key", String(36), nullable=False, unique=True),
    Column("model", String(96), nullable=False),
    Column("endpoint", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # creating, submitted, collected, failed
    Column("call_id", String(36)),  # its row in generation_calls
    Column("remote_id", String(128)),
    Column("error", String),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Index(None, "state"),
    sqlite_autoincrement=True,
)
"""Batches of pictures that nobody has asked for yet."""

pregenerated_pictures = Table(
    "pregenerated_pictures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False),  # the key in stored_results
    Column("image_key", String(64), nullable=False),
    Column("target", String(32), nullable=False),
    Column("style", String(32), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("model", String(96), nullable=False),
    Column("width", Integer),  # as a request names them; NULL: as the image has it
    Column("height", Integer),
    Column("movement", String(32), nullable=False),
    Column("probability", Float, nullable=False),
    Column("way", String(16), nullable=False),  # own, batch
    Column("state", String(16), nullable=False),  # planned, submitted, ready, failed, dropped
    Column("batch_id", ForeignKey("pregeneration_batches.id", ondelete="SET NULL")),
    Column("asked", String),
    Column("expected_nanousd", BigInteger),
    Column("by_day_nanousd", BigInteger),
    Column("cost_nanousd", BigInteger),
    Column("reason", String),
    Column("planned_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True)),
    Column("used_at", DateTime(timezone=True)),
    Index(None, "state"),
    Index(None, "fingerprint"),
    Index(None, "batch_id"),
    Index(None, "planned_at"),
    sqlite_autoincrement=True,
)
"""Pictures made, or planned to be made, before anybody asks for them, and which were asked for."""
