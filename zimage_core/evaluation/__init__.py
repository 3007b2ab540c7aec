"""Suites of prompts as their authors score them: cases, a runner that resumes, intervals, reports, comparisons."""
