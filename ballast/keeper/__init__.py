"""A keeper: it refreshes prices and liquidates what pays. Decisions are pure, shells are thin."""
