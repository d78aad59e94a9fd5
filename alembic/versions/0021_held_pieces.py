"""What is done in pieces to events that are held back.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Groups of this trigger are to be looked at: it was changed, switched or deleted.
    """
    CREATE TABLE held_review (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT held_review_pkey PRIMARY KEY,
        trigger_id uuid NOT NULL
    )
    """,
    # Events of a group up to this place belong to a run that has started; their receipts are to say so.
    """
    CREATE TABLE held_remainder (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT held_remainder_pkey PRIMARY KEY,
        trigger_id uuid NOT NULL,
        kind text NOT NULL,
        key text NOT NULL,
        last_place bigint NOT NULL,
        run_id uuid NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; what waits for a trigger to be switched on again is looked at now and then, as it was before."""
    op.execute("UPDATE held_group SET due_at = now() WHERE due_at = 'infinity'")
    op.execute("DROP TABLE held_remainder")
    op.execute("DROP TABLE held_review")
