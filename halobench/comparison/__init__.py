"""Two stored runs, compared case by case."""
