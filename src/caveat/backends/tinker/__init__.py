"""The backend `tinker`: a service that speaks the Tinker API trains adapters and answers."""
