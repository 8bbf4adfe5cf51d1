"""`tocsin report`: what recordings say about a ward's rules."""
