"""Building images: plan, cache, context, steps."""
