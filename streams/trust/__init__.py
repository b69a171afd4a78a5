"""What makes people trust a rule before it is live: tests, mutants, backtests, explanations."""
