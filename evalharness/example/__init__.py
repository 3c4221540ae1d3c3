"""The bundled example: drawn photos with exact masks, and three tiny runs, one of which takes a shortcut."""
