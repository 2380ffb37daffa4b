"""The measurement of a case: prepare it, judge it, sample it."""
