output "arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "What API Gateway calls it by."
  value       = aws_lambda_function.this.invoke_arn
}

output "name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "ARN of its role."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "Name of its log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "policy" {
  description = "Its role's policy, as JSON."
  value       = aws_iam_role_policy.this.policy
}

output "timeout_seconds" {
  description = "As given."
  value       = aws_lambda_function.this.timeout
}
