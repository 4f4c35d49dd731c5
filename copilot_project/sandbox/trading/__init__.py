"""An exchange's accounts: one book, which is the judge of tests, behind the dialects of two exchanges."""
