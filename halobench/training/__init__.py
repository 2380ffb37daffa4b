"""Small networks that learn digits, and published recipes as data."""
