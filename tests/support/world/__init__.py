"""The Lambda function with S3, a queue and Postgres around it, and a model of the tables.

Start at `world.py`: it uploads files, delivers messages and checks the promises.
`children.py` runs invocations in processes that a test may kill or freeze.
"""
