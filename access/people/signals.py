"""What happens to people's logins that neither Django nor allauth has a signal for."""

from django.dispatch import Signal

#: A login was not even tried, after too many failures. Arguments: request, name (as it was typed, or None where it is
#: the address that is locked out), seconds (until one may try again).
locked_out = Signal()
