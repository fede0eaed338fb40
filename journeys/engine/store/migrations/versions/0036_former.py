"""Events and facts have the person as whose they were stored, where that person was merged into another since."""

from alembic import op

revision = "0036"
down_revision = "0027"


def upgrade() -> None:
    op.execute("alter table events add column former uuid")
    op.execute("alter table facts add column former uuid")
