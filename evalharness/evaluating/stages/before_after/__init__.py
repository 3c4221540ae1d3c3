"""Where the backbone looked before fine-tuning."""
