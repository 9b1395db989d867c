"""What a registry's documents say: names, manifests, configs, history."""
