"""One folder per noun of the ward, the same file names in each."""
