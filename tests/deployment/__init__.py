"""`make deploy-test`: the deploy script on a Debian of its own, with systemd as init, in a container."""
