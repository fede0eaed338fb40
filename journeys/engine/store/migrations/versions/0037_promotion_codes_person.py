"""The promotion codes of a person are found: they go with a merge."""

from alembic import op

from journeys.engine.store.index_changes import make_index

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    make_index(op, "promotion_codes_person", "promotion_codes (workspace, person) where person is not null")
