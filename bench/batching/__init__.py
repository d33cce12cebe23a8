"""What many canaries at once cost their metric source, and how late their looks come."""
