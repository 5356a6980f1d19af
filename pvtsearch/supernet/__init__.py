"""One network that holds the weights of every configuration of a space, each a slice of it."""
