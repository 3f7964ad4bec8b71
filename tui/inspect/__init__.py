"""The inspect document as a tree; the tree itself, which others use too."""
