"""The paper's tables and figures as commands: every variant run and set beside what was printed."""
