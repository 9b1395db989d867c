"""The use cases: crawl, plan, measure, weigh."""
