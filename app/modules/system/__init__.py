"""How a node and its installation are doing, for those who run them."""
