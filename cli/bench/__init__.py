"""`./flowforge bench`: the product measured from outside, on a throwaway copy of it."""
