"""The version of this code. A run stores it, so that a resume under another version can say so."""

VERSION = "0.2.0"
