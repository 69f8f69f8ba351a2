"""Signed evidence of a case, its verification, the procedure it followed and the record."""
