# SPDX-License-Identifier: MIT
"""A module that cannot be imported."""

raise ImportError("deliberately broken")
