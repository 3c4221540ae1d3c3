"""The audit of annotated regions: looks at, uses, and pull."""
