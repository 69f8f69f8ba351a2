"""The network of hubs: who may print for whom, where, and in which state each hub is."""
