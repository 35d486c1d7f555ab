"""From a frame to landmarks: detector, tracker policy, solves, and the threads of the live pipeline."""
