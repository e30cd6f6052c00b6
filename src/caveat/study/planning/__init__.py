"""What a study has to make, before anything is made."""
