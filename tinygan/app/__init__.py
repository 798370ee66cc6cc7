"""The application: options, run folders, pictures and pages around the game."""
