"""What tasks of one objective share once a model has answered: one file each."""
