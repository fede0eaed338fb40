"""A state in a subscription group knows the channel of the group."""

from alembic import op

revision = "0031"
down_revision = "0048"


def upgrade() -> None:
    op.execute("alter table subscriptions add column channel text not null default 'email'")
    op.execute("alter table subscriptions alter column channel drop default")
