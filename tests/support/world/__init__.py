"""The function with S3, SQS and Postgres around it, and the model of what must come of it."""
