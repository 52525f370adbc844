"""Random terms of formulas, such as ``(1 | family)``: reading, materialisation, checks, degrees of freedom."""
