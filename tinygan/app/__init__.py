"""The application: command-line options, run folders, checkpoints, plots and the page of a run."""
