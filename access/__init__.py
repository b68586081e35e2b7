"""Who may look: people who logged in, programs with a token. Imports nothing of `streaming`."""
