"""How Alembic runs the history: on the connection, and in the transaction, that it is given.

``migration.upgrade`` is the only way in, so there is no ``alembic.ini`` and no offline mode.
"""

from __future__ import annotations

from alembic import context

import animatize_assets.database.performance_tables  # noqa: F401  # adds its tables to the metadata
from animatize_assets.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite can alter a table only by making it anew
)
context.run_migrations()
