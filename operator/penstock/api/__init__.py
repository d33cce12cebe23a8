"""The resources as people write and read them: pydantic shapes, their cross-field rules, and the CRDs made from them."""
