"""Jobs over Redis: the queue, who works, and what they count."""
