"""How fast a breach leads to weight 0, on a real cluster: bad rollouts side by side, and where their time went."""
