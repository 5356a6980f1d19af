"""What holds for every test: no deadlines, since machines are noisy; one thread each where tests run side by side."""

import os

from hypothesis import settings

settings.register_profile("noisy machine", deadline=None)
settings.load_profile("noisy machine")

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch read it, so that processes do not fight for cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
