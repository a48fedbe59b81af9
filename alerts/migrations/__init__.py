"""Changes of the schema, in order; run by alerts.database.opening."""
