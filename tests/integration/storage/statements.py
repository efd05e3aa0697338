"""Statements that tests of the session carry out."""

INSERT_LEVEL = "INSERT INTO edge_levels (target, kind, level) VALUES (?, ?, ?) USING TIMESTAMP ?"
SELECT_LEVEL = "SELECT level FROM edge_levels WHERE target = ? AND kind = 'k'"
