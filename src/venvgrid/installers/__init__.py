"""How a lock entry becomes an environment: one module an installer."""
