"""Tests of the Lambda function, with moto's S3, SQS and SNS."""
