"""One metric a file: predictions, targets and row weights to a number.

A metric is a module with a header and one function:

    TARGETS           "classes" or "values": what it is a metric of
    HIGHER_IS_BETTER  its direction
    BOUNDS            the lowest and the highest value it can take, infinite where it has no end
    score(predictions, targets, weights) -> float

For classes, `predictions` are probabilities (rows, classes) and `targets` indices (rows,) into the declared
labels, of which some may occur in no row. For values both are (rows,). `weights` (rows,) are not negative,
and a weight of n is the same as n copies of the row, so that a bootstrap bag is a weighting. What is
undefined is NaN.
"""
