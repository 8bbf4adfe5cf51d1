"""The rules: which readings are an alarm, when it counts, how bad it is, and why.

file ──► book: conditions, each with levels ──► watch: one patient's readings against the book
                 │            │
             criteria       timing
           (is it wrong)  (does it count)
"""
