"""The page of a run: one file, without network: every report, every case, and a chart of one's own choice."""
