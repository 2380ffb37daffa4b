"""What the commands do and print, a file for each."""
