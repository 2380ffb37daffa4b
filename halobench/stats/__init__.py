"""Statistics of samples: medians, ratios and their intervals."""
