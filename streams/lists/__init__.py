"""Every alert as each worker holds it to be listed: what is open, and who works on it.

Made of ``grade-alerts-state`` and ``grade-alert-actions``, and of nothing else.
"""
