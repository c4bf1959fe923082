"""The measured graphs as workflows of ours."""

from mutirao_agents.workflows import from_graph

from tests.bench import graphs

noop = from_graph("bench.noop", graphs.noop, version="1")
wait = from_graph("bench.wait", graphs.wait, version="1")
sleep = from_graph("bench.sleep", graphs.sleep, version="1")
burst = from_graph("bench.burst", graphs.burst, version="1")
ticks = from_graph("bench.ticks", graphs.ticks, version="1")
rounds = from_graph("bench.rounds", graphs.rounds, version="1")
