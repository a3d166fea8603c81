output "function_name" {
  value = aws_lambda_function.importer.function_name
}

output "queue_url" {
  value = aws_sqs_queue.uploads.id
}

output "dead_letter_queue_url" {
  value = aws_sqs_queue.dead.id
}

output "role_arn" {
  value = aws_iam_role.importer.arn
}
