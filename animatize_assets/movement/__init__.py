"""A SceneAnalysis to ranked movements, each justified, and a camera path."""
