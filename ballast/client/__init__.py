"""Talks to a deployed Ballast: address book, signers, typed calls over web3.py, signed orders."""
