"""A module that ends its process when it is imported."""

import sys

sys.exit("this module is a program, not a library")
