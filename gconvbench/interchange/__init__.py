"""Other tools' files, in and out. Imports no torch."""
