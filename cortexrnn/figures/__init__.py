"""Figures of the book: one module for each chapter, one function for each figure."""
