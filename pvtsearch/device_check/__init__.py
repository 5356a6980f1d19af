"""`make gpu`: all that only a device can tell, in one command; needs torch, torchvision and numpy alone."""
