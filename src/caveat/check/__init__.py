"""`caveat check`: what can be said of a training file's caveat before anything is trained."""
