"""Rules: what several streams amount to together, and what a sensor says without any model."""
