-- Run once, by the user animatize, when the server's volume is new. The project's own database is
-- made by the image. Three, because Dagster, MLflow and this project each note the version of their
-- tables under the same name.
CREATE DATABASE dagster;
CREATE DATABASE mlflow;
