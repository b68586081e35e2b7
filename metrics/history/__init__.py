"""History: every published snapshot in the database, with a retention."""
