"""What is said to PostgreSQL's planner, whose expectations hang on a random sample of each table."""

# For the rest of a transaction: nothing is sorted that an index has in order, whatever the planner expects to find.
ALONG_INDEXES = "SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"
