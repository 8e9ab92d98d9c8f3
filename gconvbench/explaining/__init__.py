"""What do groups mean in a layer? Everything that can be seen of it by launching it."""

from gconvbench.explaining.explainer import Explainer
from gconvbench.explaining.layer import Place, explain_layer

__all__ = ["Explainer", "Place", "explain_layer"]
