"""A walk through everything that a ModelDeployment can say: field by field, from the schema of our own CRD."""
