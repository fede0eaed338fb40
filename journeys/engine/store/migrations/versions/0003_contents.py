"""What templates read beside people: catalogs, content blocks, promotion codes, shopping carts."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.execute("select 1")  # begins the transaction, which the driver is not told of below
    connection = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda driver: driver.execute(script))  # type: ignore[union-attr]  # several statements
