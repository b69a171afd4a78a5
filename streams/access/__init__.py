"""Who may see what: roles and their rights, people and their tokens, and a record of who looked."""
