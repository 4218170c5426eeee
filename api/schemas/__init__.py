"""What the API answers: frozen records whose fields are documented where they are declared.

Fields are only ever added: older clients keep working.
"""
