"""The hold-still test: what a face that keeps still says about camera, light and tracker."""
