"""Charts of accuracy over what a network costs."""
