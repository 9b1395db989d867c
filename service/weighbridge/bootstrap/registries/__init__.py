"""How registries are reached: targets, credentials, clients, their pace."""
