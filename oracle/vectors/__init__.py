"""Conformance vectors: the oracle's answers, recorded once, so that layers can be judged anywhere, without torch and without Hypothesis.

`manifest` and `reading` say what a folder of vectors holds and refuse what cannot be trusted; `choosing` and `recording` make one and
need torch; `judging` judges by one. docs/vectors.md tells implementers in other languages how to read the files.
"""
