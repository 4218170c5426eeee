"""Which rule recognises an error: thousands of patterns looked for at once, in time linear in the text."""
