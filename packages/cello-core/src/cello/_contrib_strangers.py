"""What other plugins bring to applications, as type checkers read it: the stub has it, and nothing imports this."""
