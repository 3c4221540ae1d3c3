"""The bundled example: drawn photos with exact masks, and three tiny fine-tuning runs, one of which takes a shortcut."""
