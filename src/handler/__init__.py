"""The cloud edge: the only code that knows AWS."""
