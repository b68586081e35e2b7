"""Looks at what a deployment stands on, before it fails: each look says that all is well, or what to type.

Health tells how the stream is at this moment; this tells what will not go well tomorrow.
"""
