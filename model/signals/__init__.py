"""What a face does, from its 98 landmarks: head pose, eyes, mouth, brows, gaze, blinks and blendshapes.

"Left" and "right" are those of the picture as the camera delivers it, in which the left eye is the person's right one;
only blendshapes, whose names are Apple's, count from the person.
"""
