"""The Dockerfile front end: text to instructions with line numbers, words, ignore patterns; pure, knows no disk."""
