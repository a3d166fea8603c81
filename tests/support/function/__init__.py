"""The function with moto's S3 and SQS in the same process, and the events it receives."""
