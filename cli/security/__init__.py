"""What stands guard over the sources and what they are made of: rules, and the bill of materials."""
