"""Deployments: the configuration of a network, the plan that follows from it, and executors."""
