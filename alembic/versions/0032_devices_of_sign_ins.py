"""From where and with what a sign-in was last used, for its user to recognise it.

Revision ID: 0032
Revises: 0031
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of sign-ins from before, nothing is known until they are used."""
    op.execute("ALTER TABLE user_session ADD COLUMN address text, ADD COLUMN user_agent text")


def downgrade() -> None:
    """Forget it."""
    op.execute("ALTER TABLE user_session DROP COLUMN address, DROP COLUMN user_agent")
