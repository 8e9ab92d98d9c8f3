"""What people read: tables, answers, progress. Imports no torch."""
