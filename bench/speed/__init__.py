"""How fast, how idle and how small the operator is, beside a raw client and two rivals on the same machine."""
