"""What a refusal of a registry means, and when to ask again."""
