"""What every plugin keeps to, rule by rule, whether it is installed or a wheel.

Nothing of the plugin is imported here: the rules that have it run ask a process of its own each.
"""

from cello._contract.rules import RULES, ContractError
from cello._contract.subject import Subject

__all__ = ["RULES", "ContractError", "Subject"]
