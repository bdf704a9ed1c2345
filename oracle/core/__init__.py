"""The heart: what a case is, how both sides run it, how far apart they may be, and the judgement."""
