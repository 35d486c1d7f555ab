"""From frames to landmarks: detector, tracker policy, solver, pipeline, and the threads of a live run."""
