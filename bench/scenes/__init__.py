"""What is measured: each module a scenario, with `run(plan)`, which yields figures."""
