"""Files and texts of which only a part is to be translated: what they hold is told apart, and put back in place."""
