from cello.testing import plugin_contract

test_contract = plugin_contract("limelight")
