"""The argument recomputed: every number of the evidence once more, by code that shares none of it.

Nothing here imports :mod:`cortexrnn.evidence`. Rows are read from the Parquet files themselves;
:mod:`cortexrnn.runs.labels` names their conditions, :mod:`cortexrnn.runs.controls` says what the
design asks for. All that is done with them follows the definitions in the book, the docstrings and
the papers they cite, and uses numpy, pandas, scipy, statsmodels and networkx alone.

What was predicted, and which effect each prediction is about, are no results. A test hands them
over as plain data.
"""
