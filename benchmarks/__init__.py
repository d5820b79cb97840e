"""Side by side with peers: the same work in the same run, equality of results asserted beside the time."""
