"""What differs inside between arms of a finished study: frames in, frames out, no tensors."""
