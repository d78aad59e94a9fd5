"""The step type `smtp_mail` for FlowForge."""
