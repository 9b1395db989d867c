"""What things weigh in a storage scope, by the registry's word, and what it was not
asked yet.
"""
