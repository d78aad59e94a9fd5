"""Nobody has the right to change the audit log, who owns it no more than others: rights beside the triggers.

Whoever owns a table can give the right back to themselves; a statement that merely changes rows passes no more.

Revision ID: 0031
Revises: 0030
"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_OF_THE_OWNER = """
DO $$
DECLARE
    owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = 'audit_entry'::regclass;
    EXECUTE format('{entries}', owner);
    EXECUTE format('{heads}', owner);
END
$$
"""


def upgrade() -> None:
    """Take the rights from the owner: entries are added, heads move on."""
    op.execute(
        _OF_THE_OWNER.format(
            entries="REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM %I",
            heads="REVOKE DELETE, TRUNCATE ON audit_head FROM %I",
        )
    )


def downgrade() -> None:
    """Give them back."""
    op.execute(
        _OF_THE_OWNER.format(
            entries="GRANT UPDATE, DELETE, TRUNCATE ON audit_entry TO %I",
            heads="GRANT DELETE, TRUNCATE ON audit_head TO %I",
        )
    )
