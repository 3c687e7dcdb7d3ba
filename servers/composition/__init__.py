"""The one composition root: what is given to what, a module for each server, of the same name. A
process imports those of its own servers alone. Tests put servers together by it too."""
