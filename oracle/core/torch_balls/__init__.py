"""Balls through a torch function: it runs once on balls, and what happens on the way gives the allowed error of every result.

`Propagated` makes `bounds` for a LayerSpec out of any torch function whose operations all have a rule; `Estimated` is the weak mode for
the others. The rules stand in tables by the name of the torch operation: importing the modules fills them; losses and norms import all
others.
"""

import oracle.core.torch_balls.losses
import oracle.core.torch_balls.norms  # noqa: F401 - imported for its rules
from oracle.core.torch_balls.estimate import Estimated
from oracle.core.torch_balls.run import Propagated, described, prepared, shapes_of, unused
from oracle.core.torch_balls.tape import RULES, MissingRuleError

__all__ = ["RULES", "Estimated", "MissingRuleError", "Propagated", "described", "prepared", "shapes_of", "unused"]
