"""Tests of the room pregeneration."""
