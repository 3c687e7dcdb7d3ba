"""`kari`: the command line of operators and of people at a terminal."""
