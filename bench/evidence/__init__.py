"""How often a rule rejects a candidate that is no worse, and how soon one that is: Penstock's rules and others'."""
