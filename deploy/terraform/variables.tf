variable "name" {
  description = "Beginning of all names."
  type        = string
  default     = "salespro"
}

variable "package" {
  description = "Path of the zip of `make package`."
  type        = string
}

variable "upload_bucket" {
  description = "Name of the bucket of the uploads; versioned."
  type        = string
}

variable "report_bucket" {
  description = "Name of the bucket of the reports; not the same."
  type        = string
}

variable "environment" {
  description = "Settings of the function (README.md), such as DB_SSLMODE and DB_SSLROOTCERT; for IAM authentication DB_HOST, DB_NAME and DB_USER."
  type        = map(string)
  default = {
    DB_SSLMODE     = "verify-full"
    DB_SSLROOTCERT = "/var/task/global-bundle.pem"
  }

  validation {
    condition     = length(setsubtract(keys(var.environment), jsondecode(file("${path.module}/../contract.json")).environment)) == 0
    error_message = "Only settings of the function; see README.md."
  }
}

variable "secret_arn" {
  description = "Secret with the connection; null for IAM authentication."
  type        = string
  default     = null
}

variable "database_user_arn" {
  description = "arn:aws:rds-db:region:account:dbuser:resource-id/user for IAM authentication; null with a secret."
  type        = string
  default     = null
}

variable "kms_key_arns" {
  description = "Keys of the buckets and of the secret, if they have keys of your own."
  type        = list(string)
  default     = []
}

variable "notify_topic_arn" {
  description = "SNS topic for the people who upload; null for no messages."
  type        = string
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic for the alarm; null for no messages."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets with access to Postgres, if it is in a VPC."
  type        = list(string)
  default     = []
}

variable "security_group_ids" {
  description = "Security groups of the function; required with subnet_ids."
  type        = list(string)
  default     = []
}

variable "memory_size" {
  description = "Memory in MB; null for the default of the contract."
  type        = number
  default     = null
}

variable "maximum_concurrency" {
  description = "Number of parallel imports; null for the default of the contract."
  type        = number
  default     = null
}

variable "log_retention_days" {
  description = "Days until log lines are deleted."
  type        = number
  default     = 30
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the function's role."
  type        = string
  default     = null
}

variable "manage_notifications" {
  description = "Whether the module sets the notifications of the upload bucket."
  type        = bool
  default     = true
}
