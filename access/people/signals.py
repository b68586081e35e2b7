"""What happens to people's logins that neither Django nor allauth has a signal for."""

from django.dispatch import Signal

#: A login was not even tried, after too many failures. Arguments: request, name (as it was typed; None for wrong
#: codes of a second factor, and for an address that sends too many forms), seconds (until one may try again).
locked_out = Signal()
