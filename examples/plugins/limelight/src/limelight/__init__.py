"""Feature flags for Cello."""
