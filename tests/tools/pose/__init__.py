"""Pose backends, and the small networks they are tested on."""
