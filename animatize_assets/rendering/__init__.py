"""One frame of a camera path over an image and its depth layers; pictures for people."""
