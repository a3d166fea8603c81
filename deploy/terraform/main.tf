# The function with its queues, from the zip of `make package`. Settings that must fit the code are
# those of ../contract.json. The buckets exist: module "salespro" { upload_bucket = aws_s3_bucket.x.id … }

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  contract  = jsondecode(file("${path.module}/../contract.json"))
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  uploads   = "arn:${local.partition}:s3:::${var.upload_bucket}"
  # Target of the contract -> resources. A target without a resource is left out.
  targets = {
    upload_objects = ["${local.uploads}/*"]
    upload_bucket  = [local.uploads]
    report_objects = ["arn:${local.partition}:s3:::${var.report_bucket}/*"]
    queue          = [aws_sqs_queue.uploads.arn]
    log            = ["${aws_cloudwatch_log_group.importer.arn}:*"]
    secret         = compact([var.secret_arn])
    key            = var.kms_key_arns
    topic          = compact([var.notify_topic_arn])
    database_user  = compact([var.database_user_arn])
    network        = length(var.subnet_ids) > 0 ? ["*"] : []
    trace          = []
  }
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-uploads-failed"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = local.contract.queue.dead_letter_retention
}

resource "aws_sqs_queue" "uploads" {
  name                       = "${var.name}-uploads"
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = local.contract.queue.visibility_timeout
  message_retention_seconds  = local.contract.queue.retention
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = local.contract.queue.max_receive_count
  })
}

resource "aws_sqs_queue_policy" "uploads" {
  queue_url = aws_sqs_queue.uploads.id
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "NotificationsOfTheUploadBucket"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.uploads.arn]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.uploads]
    }
  }
}

# It replaces all notifications of the bucket: with others, set manage_notifications = false and
# add these to them.
resource "aws_s3_bucket_notification" "uploads" {
  count      = var.manage_notifications ? 1 : 0
  bucket     = var.upload_bucket
  depends_on = [aws_sqs_queue_policy.uploads]

  dynamic "queue" {
    for_each = local.contract.suffixes
    content {
      queue_arn     = aws_sqs_queue.uploads.arn
      events        = ["s3:ObjectCreated:*"]
      filter_suffix = queue.value
    }
  }
}

resource "aws_cloudwatch_log_group" "importer" {
  name              = "/aws/lambda/${var.name}-importer"
  retention_in_days = var.log_retention_days
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "importer" {
  name_prefix          = "${var.name}-importer-"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "importer" {
  dynamic "statement" {
    for_each = { for target, actions in local.contract.permissions : target => actions if length(local.targets[target]) > 0 }
    content {
      sid       = replace(title(replace(statement.key, "_", " ")), " ", "")
      actions   = statement.value
      resources = local.targets[statement.key]
    }
  }
}

resource "aws_iam_role_policy" "importer" {
  name   = "import"
  role   = aws_iam_role.importer.id
  policy = data.aws_iam_policy_document.importer.json
}

resource "aws_lambda_function" "importer" {
  function_name    = "${var.name}-importer"
  description      = "Imports SalesPro exports into Postgres"
  role             = aws_iam_role.importer.arn
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  handler          = local.contract.handler
  runtime          = local.contract.runtime
  architectures    = local.contract.architectures
  timeout          = local.contract.timeout
  memory_size      = coalesce(var.memory_size, local.contract.memory_size)
  depends_on       = [aws_iam_role_policy.importer]

  environment {
    variables = merge(var.environment, {
      UPLOAD_BUCKETS = var.upload_bucket
      REPORT_BUCKET  = var.report_bucket
      }, var.secret_arn == null ? {} : { DB_SECRET_ARN = var.secret_arn },
    var.notify_topic_arn == null ? {} : { NOTIFY_TOPIC_ARN = var.notify_topic_arn })
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.importer.name
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) > 0 ? [1] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }
}

# A long import sends its own queue a message; Lambda would stop the function after 16 of them.
resource "aws_lambda_function_recursion_config" "importer" {
  function_name  = aws_lambda_function.importer.function_name
  recursive_loop = "Allow"
}

resource "aws_lambda_event_source_mapping" "uploads" {
  event_source_arn        = aws_sqs_queue.uploads.arn
  function_name           = aws_lambda_function.importer.arn
  batch_size              = local.contract.event_source.batch_size
  function_response_types = local.contract.event_source.function_response_types
  scaling_config {
    maximum_concurrency = coalesce(var.maximum_concurrency, local.contract.event_source.maximum_concurrency)
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "A notification failed ${local.contract.queue.max_receive_count} times. See docs/operations.md, alarm dead-letters."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
