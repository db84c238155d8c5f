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
    ForeignKey,
    Integer,
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
