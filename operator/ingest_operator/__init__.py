"""The operator: which worker captures which camera, and the workers that there are for it."""
