"""What is answered, by path."""
