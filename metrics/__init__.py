"""What a snapshot is, where its values come from and how they are kept. Imports nothing of `streaming`."""
