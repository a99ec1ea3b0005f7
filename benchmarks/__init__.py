"""Speed and memory beside peers: measured in one run, kept as JSON, shown by docs/benchmarks.md.

``python -m benchmarks`` runs all of them, ``python -m benchmarks startup predict`` these two.
A benchmark is a plan of draws, a function that measures one draw, and a function that turns
draws into figures with targets. Draws are saved one by one, so a run goes on where it stopped.
"""
