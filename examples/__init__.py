"""What a person applies (YAML) and the demonstration that applies it. Nothing of the operator may import from here."""
