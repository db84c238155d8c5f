"""The one Alembic history of the project's database."""
